import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createCsr, generateKeyPair, importPrivateKey } from '@fleetroot/pki'
import { createLogger } from '@fleetroot/service'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApp } from '../http/app.ts'
import { restEnroll } from '../testing/enroll.ts'
import { type Subscriber, subscribe } from '../testing/events.ts'
import { commonName, der, rawCsr } from '../testing/raw-csr.ts'
import { openTestbed, type Testbed } from '../testing/testbed.ts'
import { problemKinds } from './codes.ts'

const source = join(import.meta.dirname, '..')

/** Which test has a real server answer with which codes: from a run of all tests with every refusal written down. */
const provoked: Readonly<Record<string, string>> = {
  'authority/offline-root.test.ts': 'authority-refused',
  'authority/rotation.test.ts': `
    authority-in-use authority-issuing authority-state authority-unknown root-key-absent rotation-pending`,
  'authorization/authorization.test.ts': 'authorization-denied authorization-unavailable',
  'enrollment/csr-policy.test.ts': `
    csr-ca-requested csr-common-name-invalid csr-extended-key-usage-not-allowed csr-extension-not-allowed
    csr-key-unsupported csr-key-usage-not-allowed csr-key-weak csr-malformed csr-signature-invalid
    csr-subject-alt-name-not-allowed csr-too-large`,
  'enrollment/enrollment.test.ts': 'key-in-use token-used',
  'est/approval.test.ts': `
    approval-denied approval-pending approval-settled approval-unknown approvals-limited csr-common-name-other
    device-enrolled device-inactive`,
  'est/est.test.ts': `
    certificate-refused certificate-required credential-missing profile-mismatch profile-unknown
    renewals-limited subject-mismatch token-expired token-invalid`,
  'est/idevid.test.ts': 'device-revoked idevid-refused',
  'est/linking.test.ts': 'linking-required linking-wrong',
  'est/server-keygen.test.ts': 'key-encryption-unsupported',
  'http/guard.test.ts': `
    attempts-limited body-missing body-too-large content-type-unsupported credential-malformed header-too-large
    method-not-allowed path-unknown rate-limited request-malformed request-timeout role-not-allowed`,
  'lifecycle/lifecycle.test.ts': 'device-retired',
  'problem/provoked.test.ts': `
    csr-signature-algorithm-unsupported csr-subject-not-allowed internal key-of-authority streams-limited`,
  'registry/failure.test.ts': 'registry-unavailable',
  'rest/claim-enrollment.test.ts': 'certificate-inactive claim-exhausted claim-not-for-device claim-unknown',
  'rest/claims.test.ts': 'claim-exists',
  'rest/idempotency.test.ts': 'idempotency-key-reused idempotent-answer-secret',
  'rest/precondition.test.ts': 'precondition-failed',
  'rest/rest.test.ts': `
    body-malformed device-exists device-managed device-unknown field-invalid serial-unknown`,
}

it('every code is one that the test which is named for it expects as an answer', () => {
  const named = Object.entries(provoked).flatMap(([file, codes]) =>
    codes
      .trim()
      .split(/\s+/)
      .map((code): [string, string] => [code, file]),
  )
  expect(named.map(([code]) => code).toSorted()).toEqual(Object.keys(problemKinds).toSorted())
  // The end of a line in a regular expression is no letter of the word behind it, and a comment expects nothing.
  const textOf = (file: string): string =>
    readFileSync(join(source, file), 'utf8')
      .replaceAll(/\\[rn]/g, ' ')
      .replaceAll(/^\s*(?:\/\/|\/?\*).*$/gm, '')
      .replace(/const provoked[^}]*\}/, '')
  const missing = named.filter(([code, file]) => !new RegExp(`['"/^ (|]${code}(?![a-z-])`).test(textOf(file)))
  expect(missing).toEqual([])
})

describe('what is seldom met', () => {
  let testbed: Testbed
  let token: string
  beforeAll(async () => {
    testbed = await openTestbed()
    token = await testbed.token('pump-7')
  })
  afterAll(() => testbed.close())
  const codeOf = async (csr: Buffer): Promise<unknown> =>
    (await restEnroll(testbed, token, csr.toString('base64'))).json['code']

  it('the key of a CA: key-of-authority', async () => {
    const pem = readFileSync(testbed.file('ca/devices.key'), 'utf8')
    const privateKey = importPrivateKey(pem, 'a passphrase for tests')
    expect(await codeOf(createCsr({ privateKey, commonName: 'pump-7' }))).toBe('key-of-authority')
  })

  it('a signature with SHA-1: csr-signature-algorithm-unsupported', async () => {
    const { privateKey } = generateKeyPair('RSA-2048')
    const csr = createCsr({ privateKey, commonName: 'pump-7' }).toString('hex')
    const [withSha256, withSha1] = ['2a864886f70d01010b', '2a864886f70d010105']
    expect(csr).toContain(withSha256)
    const changed = Buffer.from(csr.replace(withSha256, withSha1), 'hex')
    expect(await codeOf(changed)).toBe('csr-signature-algorithm-unsupported')
  })

  it('a subject with more than a CN: csr-subject-not-allowed', async () => {
    const { privateKey } = generateKeyPair('P-256')
    const organization = der(
      0x31,
      der(0x30, Buffer.from('060355040a', 'hex'), der(0x0c, Buffer.from('Acme'))),
    )
    const csr = rawCsr(privateKey, { subject: [organization, commonName('pump-7')] })
    expect(await codeOf(csr)).toBe('csr-subject-not-allowed')
  })

  it('one event stream more than one identity may have: streams-limited', async () => {
    const streams: Subscriber[] = []
    for (let n = 0; n < 32; n += 1) streams.push(await subscribe(testbed, testbed.operator))
    const refused = await testbed.request('/v1/events', { identity: testbed.operator })
    expect([refused.status, refused.json['code']]).toEqual([503, 'streams-limited'])
    for (const stream of streams) stream.close()
  })
})

it('a mistake of ours is answered with internal, and the log has what the answer keeps to itself', async () => {
  const lines: string[] = []
  const app = await createApp({
    logger: createLogger({
      name: 'enrollment-server',
      level: 'info',
      stream: { write: (line) => void lines.push(line) },
    }),
    limits: { requestsPerMinute: 1000, failedTokensPerMinute: 1000 },
  })
  app.get('/mistake', () => {
    throw new Error('the table has a leg less')
  })
  const answer = await app.inject('/mistake')
  await app.close()
  expect(answer.statusCode).toBe(500)
  expect(answer.json()).toMatchObject({ code: 'internal', instance: expect.stringMatching(/^urn:uuid:/) })
  expect(answer.body).not.toContain('leg')
  expect(lines.join('')).toContain('the table has a leg less')
})
