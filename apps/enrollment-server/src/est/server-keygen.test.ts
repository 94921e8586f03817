import { readdirSync, readFileSync } from 'node:fs'
import {
  type Certificate,
  createCsr,
  decodeCertsOnly,
  generateKeyPair,
  importPrivateKey,
  toPem,
} from '@fleetroot/pki'
import { createPublicKey, type KeyObject } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { basic, csrFor, simpleEnroll } from '../testing/enroll.ts'
import { commonName, der, rawCsr } from '../testing/raw-csr.ts'
import type { Answer } from '../testing/request.ts'
import { openTestbed, type Testbed } from '../testing/testbed.ts'

let testbed: Testbed
beforeAll(async () => {
  testbed = await openTestbed({ serverKeygen: true, approvals: true })
})
afterAll(() => testbed.close())

const path = '/.well-known/est/serverkeygen'
const ask = (id: string, token: string, csr = csrFor(id), label = ''): Promise<Answer> =>
  testbed.request(`/.well-known/est${label}/serverkeygen`, {
    method: 'POST',
    headers: { 'content-type': 'application/pkcs10', ...basic(id, token) },
    body: csr,
  })

/** The two parts of an answer. */
function partsOf({ status, headers, body }: Answer): {
  pkcs8: Buffer
  privateKey: KeyObject
  certificate: Certificate
} {
  if (status !== 200) throw new Error(`${status}: ${body}`)
  const [, boundary = '?'] = /^multipart\/mixed; boundary=(\S+)$/.exec(headers['content-type'] ?? '') ?? []
  const [before, key = '', certs = '', after] = body.split(`--${boundary}`)
  expect([before, after]).toEqual(['', '--\r\n'])
  expect(key).toMatch(/^\r\nContent-Type: application\/pkcs8\r\nContent-Transfer-Encoding: base64\r\n\r\n/)
  expect(certs).toMatch(/^\r\nContent-Type: application\/pkcs7-mime; smime-type=certs-only\r\n/)
  const content = (part: string): Buffer => Buffer.from(part.split('\r\n\r\n')[1] ?? '', 'base64')
  const [certificate] = decodeCertsOnly(content(certs))
  if (!certificate) throw new Error('no certificate')
  const pkcs8 = content(key)
  return { pkcs8, privateKey: importPrivateKey(toPem('PRIVATE KEY', pkcs8)), certificate }
}

describe('serverkeygen', () => {
  it.each(['P-256', 'P-384', 'Ed25519', 'RSA-2048'] as const)(
    'makes a key of the kind of the CSR: %s',
    async (kind) => {
      const id = `made-${kind}`
      const own = generateKeyPair(kind)
      const csr = createCsr({ privateKey: own.privateKey, commonName: id }).toString('base64')
      const answer = await ask(id, await testbed.token(id), csr)
      expect(answer.headers['cache-control']).toBe('no-store')
      const { privateKey, certificate } = partsOf(answer)
      expect(certificate.publicKey.equals(createPublicKey(privateKey))).toBe(true)
      expect(certificate.publicKey.equals(own.publicKey)).toBe(false)
      expect(certificate.publicKey.asymmetricKeyType).toBe(own.publicKey.asymmetricKeyType)
    },
  )

  it('makes no key that takes so long that others wait, and one at a time', async () => {
    const large = createCsr({ privateKey: generateKeyPair('RSA-3072').privateKey, commonName: 'slow' })
    const token = await testbed.token('slow')
    expect((await ask('slow', token, large.toString('base64'))).body).toMatch(
      /^csr-key-unsupported: publicKey: the server makes no RSA key above 2048 bits/,
    )
    const rsa = createCsr({ privateKey: generateKeyPair('RSA-2048').privateKey, commonName: 'slow' })
    const answers = await Promise.all([1, 2, 3, 4].map(() => ask('slow', token, rsa.toString('base64'))))
    const statuses = answers.map(({ status }) => status).sort((a, b) => a - b)
    expect(statuses[0]).toBe(200)
    expect(statuses.slice(1).every((status) => status === 429 || status === 401)).toBe(true)
  })

  it('uses the token up: whoever loses the key needs another', async () => {
    const token = await testbed.token('lost')
    const csr = csrFor('lost')
    partsOf(await ask('lost', token, csr))
    expect((await ask('lost', token, csr)).body).toMatch(/^token-used: /)
    expect((await simpleEnroll(testbed, 'lost', token, csr)).body).toMatch(/^token-used: /)
    const other = await testbed.token('first-own')
    const own = csrFor('first-own')
    expect((await simpleEnroll(testbed, 'first-own', other, own)).status).toBe(200)
    expect((await ask('first-own', other, own)).body).toMatch(/^token-used: /)
  })

  it('leaves the key nowhere: not in the log, not in the data directory, not in the audit', async () => {
    const { pkcs8, certificate } = partsOf(await ask('traceless', await testbed.token('traceless')))
    // The secret number of a P-256 key in PKCS#8 stands after 36 octets.
    const secret = pkcs8.subarray(36, 68)
    const spellings = [
      secret.toString('hex'),
      secret.toString('base64').slice(2, -4),
      pkcs8.toString('base64'),
    ]
    const files = readdirSync(testbed.file(), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(`${entry.parentPath}/${entry.name}`))
    expect(files.some((content) => content.includes(Buffer.from(certificate.publicKeyInfo)))).toBe(true)
    for (const content of files) {
      expect(content.includes(secret)).toBe(false)
      for (const text of spellings) expect(content.includes(text)).toBe(false)
    }
    for (const text of spellings) expect(JSON.stringify(testbed.lines)).not.toContain(text)
    const audit = await testbed.request('/v1/audit?limit=1000', { identity: testbed.operator })
    expect(audit.body).toContain('the server made the key')
  })

  it('refuses as simpleenroll does, and a key that is to be encrypted', async () => {
    const token = await testbed.token('strict')
    expect((await ask('strict', token, csrFor('other'))).body).toMatch(/^csr-common-name-other: /)
    expect((await ask('strict', 'A'.repeat(43))).body).toMatch(/^token-invalid: /)
    expect((await ask('strict', token, undefined, '/service')).body).toMatch(/^profile-mismatch: /)
    const attribute = der(0x30, Buffer.from('06092a864886f70d01090f', 'hex'), der(0x31, der(0x30)))
    const { privateKey } = generateKeyPair('P-256')
    const encrypted = rawCsr(privateKey, { subject: [commonName('strict')], attributes: [attribute] })
    expect(await ask('strict', token, encrypted.toString('base64'))).toMatchObject({
      status: 400,
      body: expect.stringMatching(
        /^key-encryption-unsupported: csr: the attribute 1\.2\.840\.113549\.1\.9\.15 /,
      ),
    })
    expect((await ask('strict', token)).status).toBe(200)
  })

  it('asks no operator for approval: that is for a key', async () => {
    const headers = { 'content-type': 'application/pkcs10' }
    const answer = await testbed.request(path, { method: 'POST', headers, body: csrFor('stranger') })
    expect(answer).toMatchObject({ status: 401, body: expect.stringMatching(/^credential-missing: /) })
  })

  it('is off unless it is switched on', async () => {
    const closed = await openTestbed()
    const token = await closed.token('hopeful')
    const headers = { 'content-type': 'application/pkcs10', ...basic('hopeful', token) }
    const answer = await closed.request(path, { method: 'POST', headers, body: csrFor('hopeful') })
    expect(answer).toMatchObject({
      status: 404,
      body: expect.stringMatching(/^path-unknown: serverkeygen: .*use simpleenroll\n$/),
    })
    await closed.close()
  })
})
