import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Fleet, startFleet } from '../fleet.ts'
import { judgedBy } from '../judged-by.ts'
import { run } from '../run.ts'

// fleetctl on a pseudo terminal, which script(1) of util-linux makes: what it shows there, and what it asks.

const launcher = join(import.meta.dirname, '../../../fleetctl/bin/fleetctl.js')

judgedBy(['script'], 'fleetctl on a terminal', () => {
  let fleet: Fleet
  beforeAll(async () => {
    fleet = await startFleet({ broker: false })
  })
  afterAll(() => fleet[Symbol.asyncDispose]())

  /** Runs fleetctl on a terminal on which somebody types `input`. */
  const onTerminal = (words: string, input: string) =>
    run('script', ['-qec', `'${process.execPath}' '${launcher}' ${words}`, '/dev/null'], {
      input,
      env: { FLEETROOT_DATA: fleet.data, FLEETROOT_ENROLLMENT_PORT: fleet.enrollment.port },
    })
  const stateOf = async (id: string): Promise<unknown> =>
    ((await fleet.admin.call('GET', `/v1/devices/${id}`)).body as { state: string }).state

  test('a list has a heading', async () => {
    const { status, text } = await onTerminal('device list --all', '')
    expect(status, text).toBe(0)
    expect(text).toMatch(/^ID +STATE +PROFILE +CERTIFICATE +VALID UNTIL +LABELS\r?$/m)
  })

  test('what cannot be taken back is asked for, and done after a yes', async () => {
    await fleet.admin.token('asked')
    const refused = await onTerminal('device retire asked', 'n\n')
    expect(refused.text).toContain('can never be used again. [y/N]')
    expect([refused.status, await stateOf('asked')]).toEqual([2, 'registered'])
    const agreed = await onTerminal('device retire asked', 'y\n')
    expect([agreed.status, await stateOf('asked')], agreed.text).toEqual([0, 'retired'])
  })

  test('a passphrase is asked for and not shown', async () => {
    const given = fleet.file('exported')
    const file = join(fleet.data, 'ca/passphrase')
    const passphrase = readFileSync(file, 'utf8').trim()
    // Where no file has the passphrase, only the human does.
    renameSync(file, fleet.file('kept'))
    const { status, text } = await onTerminal(`ca export-root '${given}'`, `${passphrase}\n`)
    renameSync(fleet.file('kept'), file)
    expect(status, text).toBe(0)
    expect(text).toContain('root.key: ')
    expect(text).toContain('opens with   the terminal')
  })

  test('Ctrl-C at a question ends it with 130, and nothing is done', async () => {
    await fleet.admin.token('interrupted')
    const child = spawn(
      'script',
      ['-qec', `'${process.execPath}' '${launcher}' device retire interrupted`, '/dev/null'],
      {
        env: { ...process.env, FLEETROOT_DATA: fleet.data, FLEETROOT_ENROLLMENT_PORT: fleet.enrollment.port },
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    )
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      // Typed when the question stands there: before it, nobody listens yet.
      if (text.endsWith('[y/N] ')) child.stdin.write('\u0003')
    })
    const [status] = (await once(child, 'close')) as [number | null]
    expect([status, await stateOf('interrupted')], text).toEqual([130, 'registered'])
    expect(text).toContain('fleetctl: interrupted')
  })
})
