import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startApp } from '@fleetroot/harness'
import { importPrivateKey } from '@fleetroot/pki'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Session, startSession } from '../testing/session.ts'

let session: Session
beforeAll(async () => {
  session = await startSession()
})
afterAll(() => session[Symbol.asyncDispose]())

const rootKey = (): string => join(session.data, 'ca/root.key')
function passphraseFile(name: string, text: string, mode = 0o600): string {
  const path = session.file(name)
  writeFileSync(path, text)
  chmodSync(path, mode)
  return path
}

describe('ca export-root', () => {
  test('copies the key as it is, encrypted, for its owner alone', async () => {
    const directory = session.file('plain')
    const { status, stderr, json } = await session.run(['ca', 'export-root', directory, '--json'])
    expect([status, stderr]).toEqual([0, ''])
    const passphraseFrom = join(session.data, 'ca/passphrase')
    expect(json()).toEqual({
      id: 'root',
      key: join(directory, 'root.key'),
      certificate: join(directory, 'root.crt'),
      passphraseFrom,
      removed: false,
    })
    expect(statSync(directory).mode & 0o777).toBe(0o700)
    for (const name of ['root.key', 'root.crt']) {
      expect(statSync(join(directory, name)).mode & 0o777).toBe(0o600)
      expect(readFileSync(join(directory, name), 'utf8')).toBe(
        readFileSync(join(session.data, 'ca', name), 'utf8'),
      )
    }
    expect(existsSync(rootKey())).toBe(true)
  })

  test('says on a terminal to keep the passphrase of this machine too', async () => {
    const ran = await session.run(['ca', 'export-root', session.file('noted')], { isTerminal: true })
    expect(ran.stdout).toContain('verified     the copy opens, and its key is that of the certificate\n')
    expect(ran.stderr).toMatch(/^keep \S+ca\/passphrase too, apart from the copy/)
  })

  test('encrypts the copy with a passphrase of its own', async () => {
    const directory = session.file('own')
    const secret = passphraseFile('own.txt', 'correct horse battery\n')
    const ran = await session.run(['ca', 'export-root', directory, '--new-passphrase-file', secret])
    expect(ran.status).toBe(0)
    const copy = readFileSync(join(directory, 'root.key'), 'utf8')
    expect(importPrivateKey(copy, 'correct horse battery').type).toBe('private')
    const old = readFileSync(join(session.data, 'ca/passphrase'), 'utf8').trim()
    expect(() => importPrivateKey(copy, old)).toThrow('passphrase')
  })

  test('never replaces a copy', async () => {
    const directory = session.file('kept')
    await session.run(['ca', 'export-root', directory])
    const again = await session.run(['ca', 'export-root', directory])
    expect(again).toMatchObject({ status: 1, stderr: expect.stringContaining('it exists already') })
  })

  test('copies nothing that does not open', async () => {
    const directory = session.file('wrong')
    const secret = passphraseFile('wrong.txt', 'another passphrase\n')
    const ran = await session.run(['ca', 'export-root', directory, '--passphrase-file', secret])
    expect(ran.status).toBe(1)
    expect(ran.stderr).toMatch(/root\.key does not open with the passphrase from \S+wrong\.txt: /)
    expect(existsSync(directory)).toBe(false)
  })

  test('refuses a passphrase that others can read, or that protects nothing', async () => {
    const open = passphraseFile('open.txt', 'correct horse battery\n', 0o644)
    const short = passphraseFile('short.txt', 'x\n')
    const run = (file: string) =>
      session.run(['ca', 'export-root', session.file('no'), '--new-passphrase-file', file])
    expect((await run(open)).stderr).toContain('open.txt can be read by others (mode 644): chmod 600 it')
    expect((await run(short)).stderr).toContain('short.txt: the passphrase must have at least 8 characters')
    expect(existsSync(session.file('no'))).toBe(false)
  })

  test('copies no key of an issuing CA, and says what to do where no server lives', async () => {
    const issuing = await session.run(['ca', 'export-root', session.file('no'), 'devices'])
    expect(issuing).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('only roots can be kept elsewhere'),
    })
    const elsewhere = await session.run([
      'ca',
      'export-root',
      session.file('no'),
      '--data',
      session.file('empty'),
    ])
    expect(elsewhere).toMatchObject({ status: 1, stderr: expect.stringContaining('name it with --data') })
  })

  test('takes the key off the machine only when it is confirmed, and the copy is elsewhere', async () => {
    const refused = await session.run(['ca', 'export-root', session.file('r1'), '--remove'])
    expect(refused.status).toBe(2)
    for (const name of ['inside', '..inside', '.']) {
      const inside = await session.run(['ca', 'export-root', join(session.data, name), '--remove', '--yes'])
      expect(inside, name).toMatchObject({
        status: 2,
        stderr: expect.stringContaining('inside of the data directory'),
      })
    }
    expect(existsSync(rootKey())).toBe(true)
  })

  test('with --remove leaves a server that starts and issues without its root key', async () => {
    const directory = session.file('safe')
    const ran = await session.run(['ca', 'export-root', directory, '--remove', '--json'], {
      isTerminal: true,
      answers: ['yes'],
    })
    expect(ran.status).toBe(0)
    expect(ran.stdout).toContain('"removed": true')
    expect(existsSync(rootKey())).toBe(false)
    expect(existsSync(join(directory, 'root.key'))).toBe(true)
    const again = await session.run(['ca', 'export-root', session.file('later')])
    expect(again).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('was taken off this machine before'),
    })

    const server = startApp('enrollment-server', [], { FLEETROOT_DATA: session.data })
    try {
      const { port } = new URL(await server.ready())
      const added = await session.run(['device', 'add', 'after'], {
        env: { FLEETROOT_ENROLLMENT_PORT: port },
      })
      expect(added.status).toBe(0)
    } finally {
      await server.stop()
    }
  })
})

describe('ca list and show', () => {
  test('list what is trusted, without an operator certificate', async () => {
    const flags = ['--cert', '/nowhere', '--key', '/nowhere']
    const { stdout } = await session.run(['ca', 'list', ...flags], { isTerminal: true })
    expect(stdout).toMatch(/^ID +KIND +STATE +VALID UNTIL +KEY ID\nroot +root +issuing +20/)
    const { json } = await session.run(['ca', 'list', '--json', ...flags])
    expect(json()).toMatchObject({
      trustDomain: 'fleetroot.local',
      items: [{ id: 'root' }, { id: 'devices' }, { id: 'services' }],
    })
  })

  test('show a certificate for a human, and as PEM', async () => {
    const { stdout } = await session.run(['ca', 'show', 'devices'])
    expect(stdout).toMatch(/^state {9}issuing\nsubject {7}CN=Fleetroot Devices CA\n/)
    const pem = await session.run(['ca', 'show', 'root', '--pem'])
    expect(pem.stdout).toBe(readFileSync(join(session.data, 'public/root.crt'), 'utf8'))
  })

  test('say which there are when one is not', async () => {
    expect(await session.run(['ca', 'show', 'devices-9'])).toMatchObject({
      status: 3,
      stderr: 'fleetctl: devices-9 is not trusted here; there are root, devices, services\n',
    })
    expect(await session.run(['ca', 'show', '../x'])).toMatchObject({ status: 2 })
  })
})
