import { generateKeyPairSync } from 'node:crypto'
import { createCsr, type CsrOptions, generateKeyPair } from '@fleetroot/pki'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { csrFor, enrolledDevice, restEnroll, simpleEnroll } from '../testing/enroll.ts'
import { commonName, der, rawCsr } from '../testing/raw-csr.ts'
import { openTestbed, type Testbed } from '../testing/testbed.ts'

let testbed: Testbed
let token: string
beforeAll(async () => {
  testbed = await openTestbed()
  token = await testbed.token('pump-7')
})
afterAll(() => testbed.close())

interface Field {
  field: string
  decision: string
  reason?: string
}
const fieldsOf = (json: Record<string, unknown>): Field[] => (json['csr'] as { fields: Field[] }).fields

async function auditOf(type: string, deviceId: string): Promise<Record<string, unknown>[]> {
  const { json } = await testbed.request('/v1/audit?limit=1000', { identity: testbed.operator })
  const records = (json['items'] as { record: Record<string, unknown> }[]).map(({ record }) => record)
  return records.filter((record) => record['type'] === type && record['deviceId'] === deviceId)
}

const { privateKey } = generateKeyPair('P-256')
const made = (options: Omit<CsrOptions, 'privateKey'>): Buffer =>
  createCsr({ privateKey, commonName: 'pump-7', ...options })
const extension = (oid: string, value: string, critical = false) => ({
  oid,
  critical,
  value: Buffer.from(value, 'hex'),
})
const [basicConstraints, keyUsage, extendedKeyUsage] = ['2.5.29.19', '2.5.29.15', '2.5.29.37'] as const
const rsa = (modulusLength: number, publicExponent = 65_537) =>
  rawCsr(generateKeyPairSync('rsa', { modulusLength, publicExponent }).privateKey, {
    subject: [commonName('pump-7')],
  })
const [one, other] = [generateKeyPair('P-256'), generateKeyPair('P-256')]
const named = (...subject: Buffer[]): Buffer => rawCsr(one.privateKey, { subject })
const nested = (depth: number): Buffer => (depth === 0 ? Buffer.alloc(0) : der(0x30, nested(depth - 1)))

describe('a CSR is refused in REST, in EST and in the audit, with the field and the fix,', () => {
  it.each<[what: string, csr: () => Buffer, code: string, field: string]>([
    ['another CN', () => made({ commonName: 'pump-8' }), 'csr-common-name-other', 'subject'],
    [
      'a name more',
      () => made({ subjectAltNames: [{ type: 'dns', value: 'x.example' }] }),
      'csr-subject-alt-name-not-allowed',
      'subjectAltName',
    ],
    [
      'CA:TRUE',
      () => made({ extensions: [extension(basicConstraints, '30030101ff')] }),
      'csr-ca-requested',
      'basicConstraints',
    ],
    [
      'the usage of a CA',
      () => made({ extensions: [extension(keyUsage, '03020106')] }),
      'csr-key-usage-not-allowed',
      'keyUsage',
    ],
    [
      'the purpose of a server',
      () => made({ extensions: [extension(extendedKeyUsage, '300a06082b06010505070301')] }),
      'csr-extended-key-usage-not-allowed',
      'extKeyUsage',
    ],
    [
      'an unknown critical extension',
      () => made({ extensions: [extension('1.2.3.4', '0500', true)] }),
      'csr-extension-not-allowed',
      'extension 1.2.3.4',
    ],
    ['RSA with 1024 bits', () => rsa(1024), 'csr-key-weak', 'publicKey'],
    ['RSA with the exponent 3', () => rsa(2048, 3), 'csr-key-weak', 'publicKey'],
    [
      'two CNs',
      () => named(commonName('pump-7'), commonName('pump-7')),
      'csr-common-name-invalid',
      'subject',
    ],
    ['a CN with NUL', () => named(commonName('pump-7\0.evil')), 'csr-common-name-other', 'subject'],
    [
      'a CN that looks the same: with a Cyrillic letter',
      () => named(commonName('pum\u0440-7')),
      'csr-common-name-other',
      'subject',
    ],
    ['a CN in T61String', () => named(commonName('pump-7', 0x14)), 'csr-common-name-invalid', 'subject'],
    [
      'a key that its sender does not have',
      () => rawCsr(one.privateKey, { subject: [commonName('pump-7')], publicKey: other.publicKey }),
      'csr-signature-invalid',
      'csr',
    ],
    [
      'DER of any depth',
      () => rawCsr(one.privateKey, { attributes: [der(0x30, Buffer.from('06022a03', 'hex'), nested(2000))] }),
      'csr-malformed',
      'csr',
    ],
    [
      'DER of any length',
      () => made({ extensions: [extension('1.2.3.4', '00'.repeat(17_000))] }),
      'csr-too-large',
      'csr',
    ],
    ['a DSA key', () => dsa(), 'csr-key-unsupported', 'publicKey'],
  ])('that has %s', async (_what, csr, code, field) => {
    const text = csr().toString('base64')
    const rest = await restEnroll(testbed, token, text)
    expect(rest.json).toMatchObject({ code })
    expect(fieldsOf(rest.json)).toContainEqual({ field, decision: 'refused', reason: rest.json['detail'] })
    const est = await simpleEnroll(testbed, 'pump-7', token, text)
    expect(est).toMatchObject({ status: rest.status, body: `${code}: ${rest.json['detail'] as string}\n` })
    // No answer waits for the record of a refusal.
    await expect
      .poll(() => auditOf('refused', 'pump-7'), { timeout: 30_000 })
      .toContainEqual(expect.objectContaining({ code, csr: rest.json['csr'] }))
  })

  it('that has the key of another device', async () => {
    const { privateKey: used } = await enrolledDevice(testbed, 'first-owner')
    const answer = await restEnroll(testbed, token, csrFor('pump-7', { privateKey: used }))
    const reason =
      'csr: its public key is certified for another device; make a new key on this one, and never copy keys'
    expect(answer.json).toMatchObject({ code: 'key-in-use', detail: reason })
    expect(fieldsOf(answer.json)).toEqual([
      { field: 'publicKey', decision: 'refused', reason },
      { field: 'subject', decision: 'taken' },
    ])
  })

  it('and the token is good afterwards', async () => {
    expect((await restEnroll(testbed, token, csrFor('pump-7'))).status).toBe(201)
  })
})

describe('a CSR that is granted', () => {
  it('is answered for field by field, in REST and in the audit', async () => {
    const csr = csrFor('pump-8', {
      extensions: [extension('2.16.840.1.113730.1.1', '03020780')],
    })
    const { json } = await restEnroll(testbed, await testbed.token('pump-8'), csr)
    expect(fieldsOf(json).map(({ field, decision }) => `${field} ${decision}`)).toEqual([
      'publicKey taken',
      'subject taken',
      'extension 2.16.840.1.113730.1.1 overridden',
    ])
    const [record] = await auditOf('issued', 'pump-8')
    expect(record?.['csr']).toEqual(json['csr'])
  })
})

/** A request with the SPKI of a DSA key: who cannot read the key cannot read the signature either. */
function dsa(): Buffer {
  const { publicKey } = generateKeyPairSync('dsa', { modulusLength: 2048, divisorLength: 256 })
  return rawCsr(one.privateKey, { subject: [commonName('pump-7')], publicKey })
}
