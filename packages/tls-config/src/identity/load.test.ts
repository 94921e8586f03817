import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createRootCertificate,
  exportPrivateKey,
  generateKeyPair,
  importPrivateKey,
  newSerial,
  toPem,
} from '@fleetroot/pki'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TlsConfigError } from '../error.ts'
import { createFleet } from '../testing/fleet.ts'
import type { Fleet, Leaf } from '../testing/fleet.ts'
import { unusualCertificate } from '../testing/unusual-certificate.ts'
import { loadIdentity } from './load.ts'

const now = new Date()
const DAY_MS = 86_400_000

let directory: string
let fleet: Fleet
let leaf: Leaf
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'fleetroot-load-'))
  fleet = await createFleet()
  leaf = await fleet.issue()
})
afterAll(() => rmSync(directory, { recursive: true }))

/** Writes a file that only the owner may read, and says where. */
function put(name: string, content: string): string {
  const file = join(directory, name)
  writeFileSync(file, content, { mode: 0o600 })
  return file
}

function files(content: { cert?: string; key?: string } = {}) {
  return {
    certFile: put('cert.pem', content.cert ?? leaf.cert),
    keyFile: put('key.pem', content.key ?? leaf.key),
  }
}

function refusal(load: () => unknown): { code: string; message: string } {
  try {
    load()
  } catch (error) {
    if (error instanceof TlsConfigError)
      return { code: error.code, message: error.message.replaceAll(`${directory}/`, '') }
    throw error
  }
  throw new Error('it was accepted')
}

test('a key with its certificate and issuing CA is loaded', () => {
  const identity = loadIdentity(files(), now)
  expect(identity).toMatchObject({ key: leaf.key, cert: leaf.cert })
  expect(identity.certificate.fingerprint256).toBe(leaf.certificate.fingerprint256)
  expect(identity.chain.map((each) => each.pem)).toEqual([fleet.devices.certificate.pem])
})

test('one file may hold both, with the text that openssl -text writes around them', () => {
  const file = put('both.pem', `subject=CN = dev-1\n${leaf.key}Certificate:\n${leaf.cert}`)
  expect(loadIdentity({ certFile: file, keyFile: file }, now).cert).toBe(leaf.cert)
})

test('the root at the end of the chain is taken', () => {
  const cert = leaf.cert + fleet.root.certificate.pem
  expect(loadIdentity(files({ cert }), now).chain).toHaveLength(2)
})

test('an encrypted key is opened with its passphrase', () => {
  const key = exportPrivateKey(importPrivateKey(leaf.key), 'correct horse')
  expect(loadIdentity({ ...files({ key }), passphrase: 'correct horse' }, now).key).toBe(leaf.key)
})

test('an encrypted key without a passphrase', () => {
  const key = exportPrivateKey(importPrivateKey(leaf.key), 'correct horse')
  expect(refusal(() => loadIdentity(files({ key }), now))).toEqual({
    code: 'passphrase-missing',
    message: 'key file key.pem: the key is encrypted; give its passphrase',
  })
})

test('an encrypted key with the wrong passphrase', () => {
  const key = exportPrivateKey(importPrivateKey(leaf.key), 'correct horse')
  expect(refusal(() => loadIdentity({ ...files({ key }), passphrase: 'battery' }, now))).toEqual({
    code: 'passphrase-wrong',
    message: 'key file key.pem: the passphrase does not open it (or the file is damaged); give the right one',
  })
})

test('a key of another certificate', () => {
  const key = exportPrivateKey(generateKeyPair('P-256').privateKey)
  expect(refusal(() => loadIdentity(files({ key }), now))).toEqual({
    code: 'key-mismatch',
    message:
      'key file key.pem: the key is not that of CN=dev-1 in cert.pem; give the key that this certificate was requested with',
  })
})

test('a chain with the issuing CA before the leaf', () => {
  const cert = fleet.devices.certificate.pem + leaf.certificate.pem
  expect(refusal(() => loadIdentity(files({ cert }), now))).toEqual({
    code: 'chain-order',
    message:
      "certificate file cert.pem: the key's own certificate is number 2, it must be the first; order it leaf first, then each issuer",
  })
})

test('a chain with the root before the issuing CA', () => {
  const cert = leaf.certificate.pem + fleet.root.certificate.pem + fleet.devices.certificate.pem
  expect(refusal(() => loadIdentity(files({ cert }), now))).toEqual({
    code: 'chain-order',
    message:
      'certificate file cert.pem: CN=Test Root did not issue CN=dev-1 before it; order it leaf first, then each issuer',
  })
})

test('a chain with a CA of the same name and another key', async () => {
  const cert = leaf.certificate.pem + (await createFleet()).devices.certificate.pem
  expect(refusal(() => loadIdentity(files({ cert }), now)).code).toBe('chain-order')
})

test('a chain with a CA whose key did not sign, and one whose name is not the one', async () => {
  const forged = await unusualCertificate(fleet.devices, { forged: true })
  expect(refusal(() => loadIdentity(files(forged), now)).code).toBe('chain-order')
  const underRoot = await unusualCertificate(fleet.root, {})
  const renamed = { signer: fleet.root.signer, commonName: 'Renamed', serial: newSerial(), now }
  const cert = toPem('CERTIFICATE', underRoot.certificate.der) + (await createRootCertificate(renamed)).pem
  expect(refusal(() => loadIdentity(files({ key: underRoot.key, cert }), now)).code).toBe('chain-order')
})

test('an expired certificate', async () => {
  const old = await fleet.issue({ at: new Date('2026-01-01T00:00:00Z') })
  expect(refusal(() => loadIdentity(files(old), new Date('2026-03-01T00:00:00Z')))).toEqual({
    code: 'certificate-expired',
    message: 'certificate file cert.pem: CN=dev-1 expired at 2026-01-31T00:00:00.000Z; renew it',
  })
})

test('a certificate that is not yet valid', () => {
  const before = new Date(leaf.certificate.notBefore.getTime() - DAY_MS)
  const { code, message } = refusal(() => loadIdentity(files(), before))
  expect(code).toBe('certificate-not-yet-valid')
  expect(message).toMatch(
    /^certificate file cert.pem: CN=dev-1 is valid from .* only; check this machine's clock$/,
  )
})

test('a file without a certificate, and one without a key', () => {
  expect(refusal(() => loadIdentity(files({ cert: leaf.key }), now))).toEqual({
    code: 'certificate-missing',
    message: 'certificate file cert.pem: no certificate in it; give its PEM',
  })
  expect(refusal(() => loadIdentity(files({ key: leaf.cert }), now))).toEqual({
    code: 'key-missing',
    message: 'key file key.pem: no private key in it; give its PEM',
  })
})

test('files that are cut off', () => {
  expect(refusal(() => loadIdentity(files({ cert: leaf.cert.slice(0, -40) }), now)).code).toBe(
    'certificate-malformed',
  )
  expect(refusal(() => loadIdentity(files({ key: leaf.key.slice(0, -40) }), now)).code).toBe('key-malformed')
})

test.each([0o640, 0o604, 0o620])('a key file with mode %o', (mode) => {
  const both = files()
  chmodSync(both.keyFile, mode)
  expect(refusal(() => loadIdentity(both, now))).toEqual({
    code: 'key-file-permissions',
    message: `key file key.pem: others may read or write it (mode 0${mode.toString(8)}); run: chmod 600 key.pem`,
  })
})

test('files that are missing, and a directory in their place', () => {
  expect(refusal(() => loadIdentity({ ...files(), keyFile: join(directory, 'none') }, now))).toEqual({
    code: 'file-missing',
    message: 'key file none: there is no such file',
  })
  expect(refusal(() => loadIdentity({ ...files(), certFile: directory }, now)).code).toBe('file-unreadable')
})
