import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  certificateIdentity,
  createCsr,
  exportPrivateKey,
  generateKeyPair,
  importPrivateKey,
  parseCertificates,
  toPem,
} from '@fleetroot/pki'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Session, startSession } from '../testing/session.ts'

let session: Session
beforeAll(async () => {
  session = await startSession()
})
afterAll(() => session[Symbol.asyncDispose]())

const create = (id: string, ...more: string[]) =>
  session.run(['claim', 'create', id, '--batch', 'july', '--quota', '3', ...more])

describe('claim create', () => {
  test('makes key and certificate in a directory, for their owner alone', async () => {
    const out = session.file('line-1')
    const { status, json } = await create('line-1', '--expires', '30d', '--out', out, '--json')
    expect(status).toBe(0)
    const files = [join(out, 'key.pem'), join(out, 'cert.pem')]
    expect(json()).toMatchObject({ id: 'line-1', batch: 'july', quota: 3, used: 0, state: 'usable', files })
    for (const file of files) expect(statSync(file).mode & 0o777).toBe(0o600)
    const [leaf, issuing] = parseCertificates(readFileSync(files[1] ?? '', 'utf8'))
    expect(leaf && certificateIdentity(leaf)).toMatchObject({ id: 'line-1', role: 'claim' })
    expect(issuing?.basicConstraints?.ca).toBe(true)
    expect(importPrivateKey(readFileSync(files[0] ?? '', 'utf8')).type).toBe('private')
  })

  test('certifies a key that was made elsewhere, to standard output', async () => {
    const { privateKey } = generateKeyPair('P-256')
    writeFileSync(session.file('own.csr'), createCsr({ privateKey, commonName: 'own' }))
    const { status, stdout } = await create('own', '--csr', session.file('own.csr'))
    expect(status).toBe(0)
    expect(parseCertificates(stdout)).toHaveLength(2)
    const pem = toPem(
      'CERTIFICATE REQUEST',
      createCsr({ privateKey: generateKeyPair('P-256').privateKey, commonName: 'other' }),
    )
    writeFileSync(session.file('other.csr'), pem)
    expect(await create('own-2', '--csr', session.file('other.csr'))).toMatchObject({
      status: 3,
      stderr: expect.stringContaining('(csr-common-name-other)'),
    })
  })

  test('finishes with the same key what was interrupted', async () => {
    const out = session.file('again')
    expect((await create('again', '--out', out, '--url', 'https://localhost:1')).status).toBe(4)
    const key = readFileSync(join(out, 'key.pem'))
    expect((await create('again', '--out', out)).status).toBe(0)
    expect(readFileSync(join(out, 'key.pem'))).toEqual(key)
    expect(await create('again', '--out', out)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('exists already'),
    })
  })

  test.runIf(process.platform !== 'win32')(
    'takes no key that others could have read or put there',
    async () => {
      const out = session.file('planted')
      mkdirSync(out)
      writeFileSync(join(out, 'key.pem'), exportPrivateKey(generateKeyPair('P-256').privateKey), {
        mode: 0o644,
      })
      expect(await create('planted', '--out', out)).toMatchObject({
        status: 1,
        stderr: expect.stringContaining('others may know it (mode 644'),
      })
      expect(existsSync(join(out, 'cert.pem'))).toBe(false)
      expect((await session.run(['claim', 'get', 'planted'])).status).toBe(3)
    },
  )

  test.each([
    [['--batch', 'b', '--out', 'x'], '--quota is missing'],
    [['--quota', '1', '--out', 'x'], '--batch is missing'],
    [['--quota', '1', '--batch', 'b'], '--out is missing'],
    [['--quota', 'many', '--batch', 'b', '--out', 'x'], '--quota must be a whole number'],
  ])('with %j is wrong usage', async (flags, message) => {
    const ran = await session.run(['claim', 'create', 'no', ...flags])
    expect(ran).toMatchObject({ status: 2, stderr: expect.stringContaining(message) })
    expect(existsSync('x')).toBe(false)
  })
})

describe('claims', () => {
  test('are listed, shown and revoked', async () => {
    await create('line-9', '--out', session.file('line-9'))
    expect((await session.run(['claim', 'list'])).stdout).toMatch(/^line-9\tusable\tjuly\t0\t3\t20/m)
    expect((await session.run(['claim', 'get', 'line-9'])).stdout).toContain('used\t0 of 3\n')
    expect((await session.run(['claim', 'revoke', 'line-9'])).status).toBe(2)
    const revoked = await session.run([
      'claim',
      'revoke',
      'line-9',
      '--reason',
      'superseded',
      '--yes',
      '--json',
    ])
    expect(revoked.json()).toMatchObject({ id: 'line-9', state: 'revoked' })
    expect(await session.run(['claim', 'get', 'none'])).toMatchObject({
      status: 3,
      stderr: 'fleetctl: cannot show none: id: none is no claim (claim-unknown)\n',
    })
  })

  test('belong to a batch, which a device is registered for', async () => {
    const { json } = await session.run(['device', 'add', 'in-batch', '--batch', 'july', '--json'])
    expect(json()).toMatchObject({ id: 'in-batch', batch: 'july' })
  })
})
