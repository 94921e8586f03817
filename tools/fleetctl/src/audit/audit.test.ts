import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { enrolled } from '../testing/enroll.ts'
import { type Session, startSession } from '../testing/session.ts'

let session: Session
let lines: string[]
let head: string

beforeAll(async () => {
  session = await startSession()
  for (const id of ['one', 'two', 'three']) await enrolled(session, id)
  const file = session.file('audit.ndjson')
  const { stdout } = await session.run(['audit', 'export', file])
  head = /head (\d+:[0-9a-f]{64})/.exec(stdout)?.[1] ?? ''
  lines = readFileSync(file, 'utf8').trimEnd().split('\n')
})
afterAll(() => session[Symbol.asyncDispose]())

/** What audit verify says of these lines. */
async function verified(changed: readonly string[], ...flags: string[]) {
  const file = session.file('changed.ndjson')
  writeFileSync(file, `${changed.join('\n')}\n`)
  const ran = await session.run(['audit', 'verify', file, '--json', ...flags])
  return { status: ran.status, told: ran.json() }
}

describe('audit export', () => {
  test('writes every record, for its owner alone, and never over another file', async () => {
    const file = session.file('audit.ndjson')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(lines.length).toBeGreaterThan(10)
    expect(await session.run(['audit', 'export', file])).toMatchObject({
      status: 1,
      stderr: `fleetctl: cannot use ${file}: it exists already\n`,
    })
  })

  test('writes to standard output, from a record on', async () => {
    const { hash } = JSON.parse(lines[2] ?? '') as { hash: string }
    const since = ['--since', `3:${hash}`]
    const { stdout } = await session.run(['audit', 'export', '-', ...since])
    expect(stdout.split('\n')[0]).toBe(lines[3])
    expect(await verified(lines.slice(3), ...since)).toMatchObject({ status: 0 })
    expect(await verified(lines.slice(4), ...since)).toMatchObject({ status: 1, told: { seq: 4 } })
    expect((await session.run(['audit', 'verify', ...since])).status).toBe(0)
  })
})

describe('audit verify', () => {
  test('proves the audit of the server, and an export of it', async () => {
    const own = await session.run(['audit', 'verify'])
    expect(own).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^the audit of the server is whole: \d+/),
    })
    expect(await verified(lines, '--head', head)).toMatchObject({
      status: 0,
      told: { ok: true, records: lines.length, head: { seq: lines.length } },
    })
  })

  test('finds a record that was changed', async () => {
    const edited = lines.with(4, (lines[4] ?? '').replace(/"at":"20/, '"at":"19'))
    expect(await verified(edited)).toEqual({
      status: 1,
      told: { ok: false, records: lines.length, seq: 5, problem: 'changed' },
    })
  })

  test('finds a record that was removed, moved or doubled', async () => {
    expect(await verified(lines.toSpliced(4, 1))).toMatchObject({
      status: 1,
      told: { seq: 5, problem: 'out-of-order' },
    })
    const moved = lines.with(4, lines[5] ?? '').with(5, lines[4] ?? '')
    expect(await verified(moved)).toMatchObject({ status: 1, told: { seq: 5, problem: 'out-of-order' } })
    expect(await verified(lines.toSpliced(4, 0, lines[4] ?? ''))).toMatchObject({
      status: 1,
      told: { seq: 6 },
    })
  })

  test('finds an end that was cut off, with the head that was noted down', async () => {
    expect(await verified(lines.slice(0, -2))).toMatchObject({ status: 0 })
    const cut = await verified(lines.slice(0, -2), '--head', head)
    expect(cut).toMatchObject({ status: 1, told: { seq: lines.length - 1, problem: 'truncated' } })
  })

  test('finds a chain that was written anew', async () => {
    const [seq = '', hash = ''] = head.split(':')
    const other = `${seq}:${hash.replace(/^./, (digit) => (digit === '0' ? '1' : '0'))}`
    expect(await verified(lines, '--head', other)).toMatchObject({
      status: 1,
      told: { problem: 'rewritten' },
    })
  })

  test('says it in words for a human', async () => {
    const file = session.file('words.ndjson')
    writeFileSync(file, lines.toSpliced(4, 1).join('\n'))
    const { status, stdout } = await session.run(['audit', 'verify', file])
    expect(status).toBe(1)
    expect(stdout).toBe(`${file} is NOT whole: record 5 is missing, or another one stands in its place\n`)
  })

  test.each([
    ['no JSON', '{"record":'],
    ['another JSON', '{"a":1}'],
    ['null', 'null'],
  ])('names the line that is %s', async (_what, line) => {
    const file = session.file('broken.ndjson')
    writeFileSync(file, `${lines[0]}\n${line}\n`)
    expect(await session.run(['audit', 'verify', file])).toMatchObject({
      status: 1,
      stderr: `fleetctl: ${file}:2: is no audit record; a line must be as audit export writes it\n`,
    })
  })

  test('refuses a head that is none', async () => {
    expect(await session.run(['audit', 'verify', '--head', '7'])).toMatchObject({ status: 2 })
  })
})

describe('audit tail', () => {
  test('shows the last records, one a line', async () => {
    const { stdout } = await session.run(['audit', 'tail', '-n', '2'])
    const [first, second, ...rest] = stdout.split('\n')
    expect(rest).toEqual([''])
    expect([first, second].every((line) => /^\d+ {2}20[\d:.TZ-]+ {2}[\w-]+ {2}/.test(line ?? ''))).toBe(true)
  })

  test('shows them as JSON, as they were hashed', async () => {
    const { stdout } = await session.run(['audit', 'tail', '-n', '3', '--json'])
    const records = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { hash: string })
    expect(records).toHaveLength(3)
    expect(records.every(({ hash }) => /^[0-9a-f]{64}$/.test(hash))).toBe(true)
  })

  test('follows, until it is interrupted', async () => {
    const interruption = new AbortController()
    const { signal } = interruption
    const running = session.run(['audit', 'tail', '-f', '-n', '0', '--json'], {
      signal,
      onWrite: () => interruption.abort(),
    })
    // It follows from a moment on that nobody but itself knows.
    for (let n = 0; !signal.aborted; n++) await session.run(['device', 'add', `followed-${n}`])
    const { status, stdout } = await running
    expect(status).toBe(130)
    expect(stdout).toMatch(/"followed-\d+"/)
  })
})
