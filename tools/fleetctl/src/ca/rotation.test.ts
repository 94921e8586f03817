import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { importPrivateKey, isIssuedBy, parseCertificate, parseCertificates } from '@fleetroot/pki'
import { afterEach, describe, expect, test } from 'vitest'
import { enrolled } from '../testing/enroll.ts'
import { type Session, startSession } from '../testing/session.ts'
import type { Authority } from './authority.ts'

let session: Session
afterEach(() => session[Symbol.asyncDispose]())

async function statesOf(): Promise<Record<string, string>> {
  const { json } = await session.run(['ca', 'list', '--json'])
  return Object.fromEntries((json() as { items: Authority[] }).items.map(({ id, state }) => [id, state]))
}

const trusted = () => parseCertificates(readFileSync(join(session.data, 'public/root.crt'), 'utf8'))

/** Takes the root key off the server's machine, under a passphrase of its own. */
async function exportRoot(): Promise<{ key: string; passphrase: string }> {
  const passphrase = session.file('safe.txt')
  writeFileSync(passphrase, 'correct horse battery\n')
  chmodSync(passphrase, 0o600)
  const flags = ['--new-passphrase-file', passphrase, '--remove', '--yes']
  const { status, stderr } = await session.run(['ca', 'export-root', session.file('safe'), ...flags])
  expect([status, stderr]).toEqual([0, ''])
  return { key: session.file('safe/root.key'), passphrase }
}

describe('with the root key on the server', () => {
  test('an issuing CA is introduced, activated and retired', async () => {
    session = await startSession()
    expect((await session.run(['ca', 'rotate', 'issuing', 'devices'])).status).toBe(2)
    const introduced = await session.run(
      'ca rotate issuing devices --introduce-for 1h --yes --json'.split(' '),
    )
    expect(introduced.json()).toMatchObject({ id: 'devices-2', kind: 'devices', state: 'introduced' })
    expect(await statesOf()).toMatchObject({ devices: 'issuing', 'devices-2': 'introduced' })

    const again = await session.run('ca rotate issuing devices --yes'.split(' '))
    expect(again).toMatchObject({ status: 3, stderr: expect.stringContaining('(rotation-pending)') })
    const issuing = await session.run('ca retire devices --yes'.split(' '))
    expect(issuing).toMatchObject({ status: 3, stderr: expect.stringContaining('(authority-issuing)') })

    const old = await enrolled(session, 'old')
    const activated = await session.run('ca activate devices-2 --yes --json'.split(' '))
    expect(activated.json()).toMatchObject({ id: 'devices-2', state: 'issuing' })
    expect(await statesOf()).toMatchObject({ devices: 'retiring', 'devices-2': 'issuing' })
    const { json } = await session.run(['cert', 'get', await enrolled(session, 'new'), '--json'])
    expect(json()).toMatchObject({ issuer: 'devices-2' })

    const inUse = await session.run('ca retire devices --yes'.split(' '))
    expect(inUse).toMatchObject({ status: 3, stderr: expect.stringContaining('(authority-in-use)') })
    expect((await session.run(['cert', 'get', old])).status).toBe(0)
    expect((await session.run('ca retire devices --force --yes'.split(' '))).status).toBe(0)
    expect(await statesOf()).not.toHaveProperty('devices')
  })

  test('a root is introduced and activated, and fleetctl goes on with what it trusts', async () => {
    session = await startSession()
    const { json } = await session.run('ca rotate root --introduce-for 0 --yes --json'.split(' '))
    expect(json()).toMatchObject({ id: 'root-2', kind: 'root', state: 'issuing' })
    expect(await statesOf()).toMatchObject({ root: 'retiring', 'root-2': 'issuing' })
    expect(trusted()).toHaveLength(2)
    expect((await session.run(['device', 'list'])).status).toBe(0)
    // The current root is the one that is exported.
    const exported = await session.run(['ca', 'export-root', session.file('safe'), '--json'])
    expect(exported.json()).toMatchObject({ id: 'root-2', key: session.file('safe/root-2.key') })
  })

  test('what cannot be activated or retired is refused by name', async () => {
    session = await startSession()
    expect(await session.run('ca activate devices-7 --yes'.split(' '))).toMatchObject({
      status: 3,
      stderr: expect.stringContaining('(authority-unknown)'),
    })
    expect((await session.run('ca retire nonsense --yes'.split(' '))).status).toBe(2)
  })
})

describe('with the root key elsewhere', () => {
  test('an issuing CA is signed where the root key is', async () => {
    session = await startSession()
    const { key, passphrase } = await exportRoot()
    const refused = await session.run('ca rotate issuing devices --yes'.split(' '))
    expect(refused).toMatchObject({
      status: 3,
      stderr: expect.stringMatching(/--root-key.*\(root-key-absent\)/),
    })

    const flags = ['--root-key', key, '--passphrase-file', passphrase]
    const asked = await session.run(['ca', 'rotate', 'issuing', 'devices', ...flags], {
      isTerminal: true,
      answers: ['n'],
    })
    expect(asked).toMatchObject({ status: 2 })
    expect(asked.stderr).toMatch(/^Sign devices-2 \(key SHA-256 [0-9a-f]{32}…\) with root\. \[y\/N\] /)
    // The request waits: the same command goes on with it.
    const signed = await session.run([
      'ca',
      'rotate',
      'issuing',
      'devices',
      ...flags,
      '--introduce-for',
      '0',
      '--yes',
      '--json',
    ])
    expect(signed.json()).toMatchObject({ id: 'devices-2', state: 'issuing' })
    const { json } = await session.run(['cert', 'get', await enrolled(session, 'new'), '--json'])
    expect(json()).toMatchObject({ issuer: 'devices-2' })
    expect(existsSync(join(session.data, 'ca/root.key'))).toBe(false)
  })

  test('a root is made where the old one is, certified by it, and its key never comes to the server', async () => {
    session = await startSession()
    const { key, passphrase } = await exportRoot()
    const out = session.file('next')
    const flags = ['--root-key', key, '--passphrase-file', passphrase, '--out', out]
    const { status, json } = await session.run([
      'ca',
      'rotate',
      'root',
      ...flags,
      '--introduce-for',
      '0',
      '--yes',
      '--json',
    ])
    expect(json()).toMatchObject({
      id: 'root-2',
      state: 'issuing',
      files: [join(out, 'root.key'), join(out, 'root.crt')],
    })
    expect(status).toBe(0)
    const [root, old] = trusted()
    expect(root?.pem).toBe(parseCertificate(readFileSync(join(out, 'root.crt'), 'utf8')).pem)
    expect(old && isIssuedBy(old, old)).toBe(true)
    expect(importPrivateKey(readFileSync(join(out, 'root.key'), 'utf8'), 'correct horse battery').type).toBe(
      'private',
    )
    expect(existsSync(join(session.data, 'ca/root-2.key'))).toBe(false)

    // And it is the one that signs from now on.
    const next = ['--root-key', join(out, 'root.key'), '--passphrase-file', passphrase]
    const signed = await session.run(['ca', 'rotate', 'issuing', 'services', ...next, '--yes', '--json'])
    expect(signed.json()).toMatchObject({ id: 'services-2', state: 'introduced' })
  })

  test('another key, a wrong passphrase and a missing directory are told before anything is done', async () => {
    session = await startSession()
    const { key, passphrase } = await exportRoot()
    const devices = join(session.data, 'ca/devices.key')
    const other = await session.run(['ca', 'rotate', 'issuing', 'devices', '--root-key', devices, '--yes'])
    expect(other).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('is the key of no root that is trusted here (root)'),
    })
    const wrong = await session.run(['ca', 'rotate', 'issuing', 'devices', '--root-key', key, '--yes'])
    expect(wrong).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/does not open with the passphrase from \S+ca\/passphrase/),
    })
    const flags = ['--root-key', key, '--passphrase-file', passphrase, '--yes']
    expect(await session.run(['ca', 'rotate', 'root', ...flags])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('--out is missing'),
    })
    expect(await statesOf()).toEqual({ root: 'issuing', devices: 'issuing', services: 'issuing' })
  })
})
