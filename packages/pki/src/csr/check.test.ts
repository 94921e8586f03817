import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { AdmittedSubject } from '../certificate/admitted-subject.ts'
import { parseDeviceId } from '../device-id.ts'
import {
  encodeBasicConstraints,
  encodeExtendedKeyUsage,
  encodeKeyUsage,
  extensionOids,
} from '../extension/index.ts'
import type { KeyAlgorithm } from '../key/index.ts'
import { encodeName, type Name, nameOf, type SubjectAltName } from '../name/index.ts'
import { defaultProfiles } from '../profile/defaults.ts'
import type { ExtendedKeyUsage, KeyUsage, Profile } from '../profile/profile.ts'
import { checkCsr, judgeCsr } from './check.ts'
import { createCsr, type CsrOptions } from './create.ts'
import type { Csr } from './csr.ts'
import { parseCsr } from './parse.ts'
import { testKeyPair } from '../testing/key-pair.ts'

const { device, service, issuing } = defaultProfiles
const id = parseDeviceId('pump-7')
const admitted: AdmittedSubject = { id, trustDomain: 'fleet.example' }
const admittedService: AdmittedSubject = {
  ...admitted,
  dns: ['Broker.example'],
  ip: ['127.0.0.1', '0:0:0:0:0:0:0:1'],
}

async function csrOf(
  options: Omit<CsrOptions, 'privateKey'>,
  algorithm: KeyAlgorithm = 'P-256',
): Promise<Csr> {
  const { privateKey } = testKeyPair(algorithm, 'leaf')
  return parseCsr(createCsr({ privateKey, ...options }))
}

const extension = (oid: string, value: Buffer, critical = false) => ({ oid, critical, value })
const constraints = (ca: boolean, pathLength?: number) =>
  extension(extensionOids.basicConstraints, encodeBasicConstraints({ ca, pathLength }))
const usage = (...usages: KeyUsage[]) => extension(extensionOids.keyUsage, encodeKeyUsage(usages), true)
const purpose = (...purposes: ExtendedKeyUsage[]) =>
  extension(extensionOids.extendedKeyUsage, encodeExtendedKeyUsage(purposes))

describe('a CSR is granted', () => {
  it.each<[string, Omit<CsrOptions, 'privateKey'>, Profile?, AdmittedSubject?]>([
    ['when it asks for nothing but its key', {}],
    ['with the admitted id as CN', { commonName: 'pump-7' }],
    [
      'with its own SPIFFE URI',
      { subjectAltNames: [{ type: 'uri', value: 'spiffe://fleet.example/device/pump-7' }] },
    ],
    ['with CA:FALSE', { extensions: [constraints(false)] }],
    ['with the usage of the profile', { extensions: [usage('digitalSignature')] }],
    ['with the purpose of the profile', { extensions: [purpose('clientAuth')] }],
    ['with one of two purposes', { extensions: [purpose('serverAuth')] }, service],
    [
      'with a key identifier',
      { extensions: [extension(extensionOids.subjectKeyIdentifier, Buffer.from('0401aa', 'hex'))] },
    ],
    [
      'with a stranger that is not critical',
      { extensions: [extension('2.16.840.1.113730.1.1', Buffer.from('03020780', 'hex'))] },
    ],
    [
      'with admitted names, whatever their case and spelling',
      {
        subjectAltNames: [
          { type: 'dns', value: 'bROKER.example' },
          { type: 'ip', value: '127.0.0.1' },
          { type: 'ip', value: '::1' },
        ],
      },
      service,
      admittedService,
    ],
    [
      'with CA:TRUE where the profile makes CAs',
      { extensions: [constraints(true), usage('keyCertSign')] },
      issuing,
    ],
  ])('%s', async (_, options, profile = device, subject = admitted) => {
    expect(checkCsr(await csrOf(options), profile, subject)).toBeUndefined()
  })

  it('with key encipherment, only for an RSA key and only where the profile says so', async () => {
    const options = { extensions: [usage('digitalSignature', 'keyEncipherment')] }
    const profile: Profile = { ...service, rsaKeyEncipherment: true }
    expect(checkCsr(await csrOf(options, 'RSA-2048'), profile, admitted)).toBeUndefined()
    const refusal = { code: 'csr-key-usage-not-allowed' }
    expect(checkCsr(await csrOf(options, 'RSA-2048'), service, admitted)).toMatchObject(refusal)
    expect(checkCsr(await csrOf(options, 'P-256'), profile, admitted)).toMatchObject(refusal)
  })
})

describe('a CSR is refused with the reason', () => {
  it.each<[string, Omit<CsrOptions, 'privateKey'>, string, string, Profile?, AdmittedSubject?]>([
    [
      'another CN',
      { commonName: 'pump-8' },
      'csr-common-name-other',
      'subject: the CN is not the id that the credential is for, which is "pump-7"',
    ],
    [
      'a CN that only looks the same',
      { commonName: 'pump-7\0' },
      'csr-common-name-other',
      'subject: the CN is not the id that the credential is for, which is "pump-7"',
    ],
    [
      'a CN in another case',
      { commonName: 'PUMP-7' },
      'csr-common-name-other',
      'subject: the CN is not the id that the credential is for, which is "pump-7"',
    ],
    [
      'CA:TRUE',
      { extensions: [constraints(true)] },
      'csr-ca-requested',
      'basicConstraints: profile device does not make CAs, remove CA:TRUE',
    ],
    [
      'CA:FALSE with a path length',
      { extensions: [constraints(false, 0)] },
      'csr-ca-requested',
      'basicConstraints: a path length is for CAs, remove it',
    ],
    [
      'the usage of a CA',
      { extensions: [usage('digitalSignature', 'keyCertSign')] },
      'csr-key-usage-not-allowed',
      'keyUsage: profile device does not give keyCertSign, only digitalSignature',
    ],
    [
      'the purpose of a server',
      { extensions: [purpose('clientAuth', 'serverAuth')] },
      'csr-extended-key-usage-not-allowed',
      'extKeyUsage: profile device does not give serverAuth, only clientAuth',
    ],
    [
      'every purpose',
      { extensions: [purpose('2.5.29.37.0')] },
      'csr-extended-key-usage-not-allowed',
      'extKeyUsage: profile device does not give 2.5.29.37.0, only clientAuth',
    ],
    [
      'a purpose where the profile has none',
      { extensions: [purpose('clientAuth')] },
      'csr-extended-key-usage-not-allowed',
      'extKeyUsage: profile issuing does not give clientAuth, only none',
      issuing,
    ],
    [
      'an extension it may not ask for',
      { extensions: [extension(extensionOids.nameConstraints, Buffer.alloc(0))] },
      'csr-extension-not-allowed',
      'extensions: the extension 2.5.29.30 cannot be asked for, remove it',
    ],
    [
      'an unknown critical extension',
      { extensions: [extension('1.2.3', Buffer.alloc(0), true)] },
      'csr-extension-not-allowed',
      'extensions: the critical extension 1.2.3 cannot be asked for, remove it',
    ],
  ])('for %s', async (_, options, code, detail, profile = device, subject = admitted) => {
    expect(checkCsr(await csrOf(options), profile, subject)).toEqual({ code, detail })
  })

  it.each<[string, SubjectAltName, Profile?, AdmittedSubject?]>([
    ['a DNS name that was not admitted', { type: 'dns', value: 'other.example' }, service, admittedService],
    ['a wildcard over an admitted name', { type: 'dns', value: '*.example' }, service, admittedService],
    [
      'an admitted name that the profile does not carry',
      { type: 'dns', value: 'broker.example' },
      device,
      admittedService,
    ],
    ['an address that was not admitted', { type: 'ip', value: '127.0.0.2' }, service, admittedService],
    [
      'an admitted address that the profile does not carry',
      { type: 'ip', value: '127.0.0.1' },
      device,
      admittedService,
    ],
    ['the SPIFFE URI of another device', { type: 'uri', value: 'spiffe://fleet.example/device/pump-8' }],
    ['the SPIFFE URI of another role', { type: 'uri', value: 'spiffe://fleet.example/operator/pump-7' }],
    [
      'the SPIFFE URI of another trust domain',
      { type: 'uri', value: 'spiffe://other.example/device/pump-7' },
    ],
    ['a mail address', { type: 'email', value: 'pump-7@fleet.example' }],
    ['a form that has no meaning here', { type: 'other', value: '8803550403' }],
  ])('for %s', async (_, name, profile = device, subject = admitted) => {
    expect(checkCsr(await csrOf({ subjectAltNames: [name] }), profile, subject)).toEqual({
      code: 'csr-subject-alt-name-not-allowed',
      detail:
        `subjectAltName: ${name.type} ${JSON.stringify(name.value)} was not admitted for "pump-7": remove it` +
        (name.type === 'dns' || name.type === 'ip' ? ', or register the device with it' : ''),
    })
  })

  it('for any URI under a profile without a role', async () => {
    const csr = await csrOf({
      subjectAltNames: [{ type: 'uri', value: 'spiffe://fleet.example/device/pump-7' }],
    })
    expect(checkCsr(csr, defaultProfiles.ocsp, admitted)?.code).toBe('csr-subject-alt-name-not-allowed')
  })

  // createCsr makes no such names: what the parser gives for them is put in place of a good one.
  it.each<[string, Name, string, string]>([
    [
      'two CNs, both right',
      [...nameOf({ commonName: 'pump-7' }), ...nameOf({ commonName: 'pump-7' })],
      'csr-common-name-invalid',
      'subject: has 2 CNs, must have one',
    ],
    [
      'a multi-valued RDN',
      [
        nameOf({ commonName: 'pump-7' })
          .flat()
          .concat(nameOf({ commonName: 'a' }).flat()),
      ],
      'csr-common-name-invalid',
      'subject: has an RDN with more than one attribute',
    ],
    [
      'a Teletex CN',
      [[{ type: '2.5.4.3', value: 'pump-7', encoding: 'teletex' }]],
      'csr-common-name-invalid',
      'subject: the CN must be UTF8String or PrintableString',
    ],
    [
      'an organization',
      nameOf({ commonName: 'pump-7', organization: 'Ex' }),
      'csr-subject-not-allowed',
      'subject: must hold nothing but the CN, remove O',
    ],
    [
      'an attribute without a name',
      [[{ type: '1.2.3', value: 'a', encoding: 'utf8' }]],
      'csr-subject-not-allowed',
      'subject: must hold nothing but the CN, remove 1.2.3',
    ],
  ])('for %s in the subject', async (_, subject, code, detail) => {
    const csr = { ...(await csrOf({})), subject }
    expect(encodeName(subject).length).toBeGreaterThan(2)
    expect(checkCsr(csr, device, admitted)).toEqual({ code, detail })
  })

  it('for a weak key', async () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 })
    expect(checkCsr({ ...(await csrOf({})), publicKey }, device, admitted)).toEqual({
      code: 'csr-key-weak',
      detail: 'key: RSA has 1024 bits; use 2048, 3072 or 4096 (rsa-modulus-size)',
    })
  })
})

describe('the report on a CSR', () => {
  const fieldsOf = async (options: Omit<CsrOptions, 'privateKey'>, profile: Profile = device) =>
    judgeCsr(await csrOf(options), profile, admitted).fields

  it('says of every field what became of it', async () => {
    const fields = await fieldsOf({
      commonName: 'pump-7',
      challengePassword: 'secret',
      subjectAltNames: [{ type: 'uri', value: 'spiffe://fleet.example/device/pump-7' }],
      extensions: [
        constraints(false),
        usage('digitalSignature'),
        purpose('clientAuth'),
        extension(extensionOids.subjectKeyIdentifier, Buffer.from('0401aa', 'hex')),
        extension('2.16.840.1.113730.1.1', Buffer.from('03020780', 'hex')),
      ],
    })
    expect(fields).toEqual([
      { field: 'publicKey', decision: 'taken' },
      { field: 'subject', decision: 'taken' },
      { field: 'subjectAltName', decision: 'taken' },
      { field: 'basicConstraints', decision: 'taken' },
      { field: 'keyUsage', decision: 'taken' },
      { field: 'extKeyUsage', decision: 'taken' },
      {
        field: 'subjectKeyIdentifier',
        decision: 'overridden',
        reason: 'it is always the digest of the public key',
      },
      {
        field: 'extension 2.16.840.1.113730.1.1',
        decision: 'overridden',
        reason: 'it is not known here, and not in the certificate',
      },
      { field: 'challengePassword', decision: 'overridden', reason: 'it is no part of a certificate' },
    ])
  })

  it('says what the certificate has where less was asked for', async () => {
    expect(await fieldsOf({ extensions: [purpose('serverAuth')] }, service)).toEqual([
      { field: 'publicKey', decision: 'taken' },
      { field: 'subject', decision: 'overridden', reason: 'it is empty, the certificate has CN=pump-7' },
      {
        field: 'extKeyUsage',
        decision: 'overridden',
        reason: 'the certificate has serverAuth, clientAuth',
      },
    ])
  })

  it('shows every refusal, of which the first is the answer, in whatever order they were asked', async () => {
    const wishes = [purpose('serverAuth'), usage('keyCertSign'), constraints(true)]
    for (const extensions of [wishes, wishes.toReversed()]) {
      const { fields, refusal } = judgeCsr(
        await csrOf({ commonName: 'pump-7', extensions }),
        device,
        admitted,
      )
      expect(refusal?.code).toBe('csr-ca-requested')
      expect(fields.filter(({ decision }) => decision === 'refused').map(({ field }) => field)).toEqual(
        extensions === wishes
          ? ['extKeyUsage', 'keyUsage', 'basicConstraints']
          : ['basicConstraints', 'keyUsage', 'extKeyUsage'],
      )
    }
  })
})
