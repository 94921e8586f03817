import { writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Session, startSession } from '../testing/session.ts'

let session: Session
beforeAll(async () => {
  session = await startSession()
})
afterAll(() => session[Symbol.asyncDispose]())

async function file(name: string, text: string): Promise<string> {
  await writeFile(session.file(name), text)
  return session.file(name)
}
const known = async (id: string) => (await session.operator.call('GET', `/v1/devices/${id}`)).status === 200

describe('device import', () => {
  test('registers the devices of a CSV file, and again changes nothing', async () => {
    const path = await file('fleet.csv', 'id,batch,label.site\npump-1,2030-07,north\npump-2,,\n')
    expect(await session.run(['device', 'import', path])).toMatchObject({
      status: 0,
      stdout: '',
      stderr: '2 added, 0 unchanged, 0 refused\n',
    })
    const again = await session.run(['device', 'import', path, '--json'])
    expect([again.status, again.json()]).toEqual([
      0,
      { dryRun: false, rows: 2, added: 0, unchanged: 2, refused: 0, notShown: 0, errors: [] },
    ])
  })

  test('takes NDJSON, from standard input too', async () => {
    const ran = await session.run(['device', 'import', '-'], { input: '{"id":"pump-3"}\n{"id":"pump-4"}\n' })
    expect(ran).toMatchObject({ status: 0, stderr: '2 added, 0 unchanged, 0 refused\n' })
    expect(await known('pump-4')).toBe(true)
  })

  test('lists what was refused, with line and fix, adds the rest and fails', async () => {
    const path = await file('mixed.csv', 'id,profile\npump 5,device\npump-6,devise\npump-7,device\n')
    const ran = await session.run(['device', 'import', path])
    expect(ran).toMatchObject({ status: 1, stderr: '1 added, 0 unchanged, 2 refused\n' })
    expect(ran.stdout.split('\n')).toEqual([
      expect.stringMatching(/^2\tpump 5\tfield-invalid\tid: must be 1 to 64 letters/),
      '3\tpump-6\tfield-invalid\tprofile: must be device, service or broker',
      '',
    ])
    expect(await known('pump-7')).toBe(true)
  })

  test('with --dry-run says the same and does nothing', async () => {
    const path = await file('dry.csv', 'id\npump-8\n?\n')
    const ran = await session.run(['device', 'import', path, '--dry-run'])
    expect(ran).toMatchObject({ status: 1, stderr: '1 would be added, 0 unchanged, 1 refused\n' })
    expect(await known('pump-8')).toBe(false)
  })

  test('says where a file broke off; what came before stays', async () => {
    const path = await file('broken.csv', 'id\npump-9\n"pump-10\n')
    const ran = await session.run(['device', 'import', path])
    expect(ran).toMatchObject({
      status: 1,
      stderr:
        '1 added, 0 unchanged, 0 refused; stopped after 1 rows: body: line 3: a quote in this row is not closed (body-malformed); correct it and import again\n',
    })
    expect(await known('pump-9')).toBe(true)
  })

  test('shows how far it is on a terminal', async () => {
    const rows = Array.from({ length: 3000 }, (_, n) => `many-${n}\n`).join('')
    const ran = await session.run(['device', 'import', await file('many.csv', `id\n${rows}`)], {
      isTerminal: true,
    })
    expect(ran.status).toBe(0)
    expect(ran.stderr).toMatch(/\rimported: 3000 of 3001\n3000 added, 0 unchanged, 0 refused\n$/)
  })

  test('refuses a file whose header is wrong, and one that is not there', async () => {
    const path = await file('colour.csv', 'id,colour\n')
    expect(await session.run(['device', 'import', path])).toMatchObject({
      status: 3,
      stderr: expect.stringMatching(/"colour" is no column; there are id, .* \(field-invalid\)\n$/),
    })
    expect(await session.run(['device', 'import', session.file('none.csv')])).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/none\.csv: there is no such file or directory\n$/),
    })
  })

  test('ends at an interrupt', async () => {
    const interrupt = new AbortController()
    interrupt.abort()
    const path = await file('late.csv', 'id\nlate-1\n')
    expect((await session.run(['device', 'import', path], { signal: interrupt.signal })).status).toBe(130)
  })
})
