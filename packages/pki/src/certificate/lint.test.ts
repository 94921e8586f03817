import { beforeAll, describe, expect, it } from 'vitest'
import { altered } from '../testing/altered.ts'
import {
  bitString,
  boolean,
  explicit,
  implicit,
  integer,
  octetString,
  oid,
  readDer,
  sequence,
  time,
  unsignedInteger,
} from '../der/index.ts'
import {
  encodeBasicConstraints,
  encodeExtendedKeyUsage,
  encodeExtension,
  encodeKeyUsage,
  extensionOids,
} from '../extension/index.ts'
import { encodeSignatureAlgorithm, exportPublicKey } from '../key/index.ts'
import { encodeName, encodeSubjectAltNames, nameOf } from '../name/index.ts'
import { claimPolicy, defaultProfiles } from '../profile/index.ts'
import { parseSerial } from '../serial.ts'
import { pump7, testAuthority, testNow } from '../testing/authority.ts'
import { testKeyPair } from '../testing/key-pair.ts'
import { readExtensionFacts } from './extension-facts.ts'
import type { Issuer } from './index.ts'
import { type LintExpectation, type LintFinding, lintTbsCertificate } from './lint.ts'
import { readTbsCertificate } from './tbs.ts'
import { fillTemplate, keyIdentifier, makeTemplate } from './template.ts'

const serial = parseSerial('5f3a09c2')
const leafKey = testKeyPair('P-256', 'leaf').publicKey
const publicKeyInfo = exportPublicKey(leafKey)
const uri = { type: 'uri', value: `spiffe://${pump7.trustDomain}/device/${pump7.id}` } as const

let issuing: Issuer
let expectation: LintExpectation
let parts: TbsParts
beforeAll(async () => {
  ;({ issuing } = await testAuthority())
  const { certificate, signer } = issuing
  expectation = {
    profile: defaultProfiles.device,
    now: testNow,
    serial,
    subject: encodeName(nameOf({ commonName: pump7.id })),
    subjectAltNames: [uri],
    publicKeyInfo,
    isRsa: false,
    urls: {},
    signatureAlgorithm: signer.algorithm,
    issuer: certificate,
  }
  parts = {
    version: explicit(0, integer(2)),
    serial: unsignedInteger(Buffer.from(serial, 'hex')),
    signature: encodeSignatureAlgorithm(signer.algorithm),
    issuer: certificate.subjectDer,
    validity: sequence(time(new Date('2026-11-20T11:00:00Z')), time(new Date('2026-12-20T12:00:00Z'))),
    subject: expectation.subject,
    key: publicKeyInfo,
    extensions: {
      [extensionOids.basicConstraints]: [true, encodeBasicConstraints({ ca: false })],
      [extensionOids.keyUsage]: [true, encodeKeyUsage(['digitalSignature'])],
      [extensionOids.extendedKeyUsage]: [false, encodeExtendedKeyUsage(['clientAuth'])],
      [extensionOids.subjectAltName]: [false, encodeSubjectAltNames([uri])],
      [extensionOids.subjectKeyIdentifier]: [false, octetString(keyIdentifier(publicKeyInfo))],
      [extensionOids.authorityKeyIdentifier]: [
        false,
        sequence(implicit(0, Buffer.from(certificate.subjectKeyId ?? '', 'hex'))),
      ],
    },
  }
})

/** A TBSCertificate in pieces, so that a test can replace one. */
interface TbsParts {
  version: Buffer
  serial: Buffer
  signature: Buffer
  issuer: Buffer
  validity: Buffer
  subject: Buffer
  key: Buffer
  extensions: Record<string, [critical: boolean, value: Buffer] | undefined>
}

function encode({ extensions, ...fields }: TbsParts): Buffer {
  const list = Object.entries(extensions).flatMap(([id, extension]) =>
    extension === undefined
      ? []
      : [encodeExtension({ oid: id, critical: extension[0], value: extension[1] })],
  )
  return sequence(...Object.values(fields), explicit(3, sequence(...list)))
}

function lint(tbs: Buffer, expected: LintExpectation): LintFinding[] {
  const fields = readDer(tbs, 'TBSCertificate', readTbsCertificate)
  return lintTbsCertificate(fields, readExtensionFacts(fields.extensions), expected)
}

/** The fields that the lint complains about when one part is replaced. */
function broken(changes: Partial<TbsParts>, expected: Partial<LintExpectation> = {}): string[] {
  const extensions = { ...parts.extensions, ...changes.extensions }
  const findings = lint(encode({ ...parts, ...changes, extensions }), { ...expectation, ...expected })
  return [...new Set(findings.map(({ field }) => field))]
}

function withExtension(id: string, critical: boolean, value?: Buffer) {
  const key = id in extensionOids ? extensionOids[id as keyof typeof extensionOids] : id
  return { extensions: { [key]: value === undefined ? undefined : ([critical, value] as [boolean, Buffer]) } }
}

const validity = (notBefore: string, notAfter: string) => ({
  validity: sequence(time(new Date(notBefore)), time(new Date(notAfter))),
})

describe('the lint before signing', () => {
  it('passes what the template makes, and the same built from its parts', () => {
    expect(broken({})).toEqual([])
    const template = makeTemplate({
      profile: defaultProfiles.device,
      signatureAlgorithm: issuing.signer.algorithm,
      issuer: {
        subjectDer: issuing.certificate.subjectDer,
        subjectKeyId: issuing.certificate.subjectKeyId ?? '',
      },
      isRsa: false,
      urls: {},
    })
    const notBefore = new Date('2026-11-20T11:00:00Z')
    const notAfter = new Date('2026-12-20T12:00:00Z')
    expect(lint(fillTemplate(template, { ...expectation, notBefore, notAfter }), expectation)).toEqual([])
  })

  it('finds another serial number', () => {
    expect(broken({ serial: integer(1) })).toEqual(['serialNumber'])
  })

  it('finds a signature algorithm that is not that of the issuer key', () => {
    expect(broken({ signature: encodeSignatureAlgorithm('ecdsa-with-SHA384') })).toEqual(['signature'])
  })

  it('finds another issuer name', () => {
    expect(broken({ issuer: encodeName(nameOf({ commonName: 'Test Devices' })) })).toEqual(['issuer'])
  })

  it('finds a subject with anything more or other', () => {
    expect(broken({ subject: encodeName(nameOf({ commonName: 'pump-8' })) })).toEqual(['subject'])
    expect(broken({ subject: encodeName(nameOf({ commonName: 'pump-7', organization: 'x' })) })).toEqual([
      'subject',
    ])
    const printable = encodeName([[{ type: '2.5.4.3', value: 'pump-7', encoding: 'printable' }]])
    expect(broken({ subject: printable })).toEqual(['subject'])
  })

  it('finds another public key', () => {
    expect(broken({ key: exportPublicKey(testKeyPair('P-256', 'other').publicKey) })).toEqual([
      'subjectPublicKeyInfo',
    ])
  })

  it('finds the key of the issuer, wherever it came from', () => {
    const key = issuing.certificate.publicKeyInfo
    const change = withExtension('subjectKeyIdentifier', false, octetString(keyIdentifier(key)))
    expect(broken({ ...change, key }, { publicKeyInfo: key })).toEqual(['subjectPublicKeyInfo'])
  })

  it.each([
    ['a second too early', '2026-11-20T10:59:59Z', '2026-12-20T12:00:00Z', ['notBefore']],
    ['not backdated', '2026-11-20T12:00:00Z', '2026-12-20T12:00:00Z', ['notBefore']],
    ['in the future', '2026-11-20T12:00:01Z', '2026-12-20T12:00:00Z', ['notBefore']],
    ['a second too long', '2026-11-20T11:00:00Z', '2026-12-20T12:00:01Z', ['notAfter']],
    ['shorter than decided', '2026-11-20T11:00:00Z', '2026-12-20T11:59:59Z', ['notAfter']],
    ['over already', '2026-11-20T11:00:00Z', '2026-11-20T12:00:00Z', ['notAfter']],
    ['without end', '2026-11-20T11:00:00Z', '9999-12-31T23:59:59Z', ['notAfter']],
  ])('finds a validity that is %s', (_what, notBefore, notAfter, fields) => {
    expect(broken(validity(notBefore, notAfter))).toEqual(fields)
  })

  it('finds a validity past that of the issuer', () => {
    const issuer = altered(issuing.certificate, {
      notBefore: new Date('2026-11-20T11:30:00Z'),
      notAfter: new Date('2026-12-01T00:00:00Z'),
    })
    expect(broken({}, { issuer })).toEqual(['notBefore', 'notAfter'])
    expect(broken(validity('2026-11-20T11:30:00Z', '2026-12-01T00:00:00Z'), { issuer })).toEqual([])
  })

  it('finds a validity that is not now, even when the issuer leaves no other', () => {
    const later = altered(issuing.certificate, { notBefore: new Date('2026-11-21T00:00:00Z') })
    expect(broken(validity('2026-11-21T00:00:00Z', '2026-12-20T12:00:00Z'), { issuer: later })).toEqual([
      'notBefore',
    ])
    const over = altered(issuing.certificate, { notAfter: new Date('2026-11-20T12:00:00Z') })
    expect(broken(validity('2026-11-20T11:00:00Z', '2026-11-20T12:00:00Z'), { issuer: over })).toEqual([
      'notAfter',
    ])
  })

  it('finds a CA, with or without a path length', () => {
    const ca = (pathLength?: number) =>
      withExtension('basicConstraints', true, encodeBasicConstraints({ ca: true, pathLength }))
    expect(broken(ca())).toEqual(['basicConstraints'])
    expect(broken(ca(0))).toEqual(['basicConstraints'])
    expect(broken(withExtension('basicConstraints', true))).toEqual(['basicConstraints'])
  })

  it('finds a CA below an issuer that allows none', () => {
    const profile = { ...defaultProfiles.device, ca: true }
    const change = withExtension('basicConstraints', true, encodeBasicConstraints({ ca: true }))
    expect(broken(change, { profile })).toEqual(['basicConstraints'])
  })

  it.each(['basicConstraints', 'keyUsage'] as const)('finds a %s that is not critical', (name) => {
    const value = parts.extensions[extensionOids[name]]?.[1]
    expect(broken(withExtension(name, false, value))).toEqual(['extensions'])
  })

  it.each(['extendedKeyUsage', 'subjectAltName', 'subjectKeyIdentifier', 'authorityKeyIdentifier'] as const)(
    'finds a %s that is critical',
    (name) => {
      const value = parts.extensions[extensionOids[name]]?.[1]
      expect(broken(withExtension(name, true, value))).toEqual(['extensions'])
    },
  )

  it.each([
    ['basicConstraints', 'basicConstraints'],
    ['keyUsage', 'keyUsage'],
    ['extendedKeyUsage', 'extKeyUsage'],
    ['subjectAltName', 'subjectAltName'],
    ['subjectKeyIdentifier', 'subjectKeyIdentifier'],
    ['authorityKeyIdentifier', 'authorityKeyIdentifier'],
  ])('misses %s when it is left out', (name, field) => {
    expect(broken(withExtension(name, false))).toEqual([field])
  })

  it.each([
    [['digitalSignature', 'keyCertSign']],
    [['digitalSignature', 'cRLSign']],
    [['digitalSignature', 'keyEncipherment']],
    [['nonRepudiation']],
  ] as const)('finds the key usage %s', (usages) => {
    expect(broken(withExtension('keyUsage', true, encodeKeyUsage(usages)))).toEqual(['keyUsage'])
  })

  it('finds keyEncipherment on a key that is not RSA, even where the profile has it', () => {
    const profile = { ...defaultProfiles.device, keyUsage: ['digitalSignature', 'keyEncipherment'] as const }
    const change = withExtension('keyUsage', true, encodeKeyUsage(['digitalSignature', 'keyEncipherment']))
    expect(broken(change, { profile })).toEqual(['keyUsage'])
    expect(broken(change, { profile, isRsa: true })).toEqual([])
  })

  it.each([
    [['serverAuth', 'clientAuth']],
    [['serverAuth']],
    [['clientAuth', '2.5.29.37.0']],
    [['clientAuth', 'clientAuth']],
  ])('finds the purposes %s', (purposes) => {
    const value = encodeExtendedKeyUsage(purposes)
    expect(broken(withExtension('extendedKeyUsage', false, value))).toEqual(['extKeyUsage'])
  })

  it('finds every name that was not admitted', () => {
    const names = (...list: Parameters<typeof encodeSubjectAltNames>[0]) =>
      broken(withExtension('subjectAltName', false, encodeSubjectAltNames(list)))
    expect(names(uri, { type: 'dns', value: 'broker.example' })).toEqual(['subjectAltName'])
    expect(names(uri, { type: 'ip', value: '10.0.0.1' })).toEqual(['subjectAltName'])
    expect(names(uri, { type: 'email', value: 'a@b.example' })).toEqual(['subjectAltName'])
    expect(names(uri, uri)).toEqual(['subjectAltName'])
    expect(names({ type: 'uri', value: 'spiffe://fleet.example/device/pump-8' })).toEqual(['subjectAltName'])
    expect(names({ type: 'uri', value: 'spiffe://other.example/device/pump-7' })).toEqual(['subjectAltName'])
    expect(names({ type: 'uri', value: 'spiffe://fleet.example/operator/pump-7' })).toEqual([
      'subjectAltName',
    ])
  })

  it('finds names of a type that the profile does not allow, even when they were admitted', () => {
    const subjectAltNames = [uri, { type: 'dns', value: 'broker.example' } as const]
    const change = withExtension('subjectAltName', false, encodeSubjectAltNames(subjectAltNames))
    expect(broken(change, { subjectAltNames })).toEqual(['subjectAltName'])
    expect(
      broken(change, { subjectAltNames, profile: { ...defaultProfiles.device, subjectAltNames: ['dns'] } }),
    ).toEqual([])
  })

  it('finds a SPIFFE URI of another role, even when it was admitted', () => {
    const subjectAltNames = [{ type: 'uri', value: 'spiffe://fleet.example/operator/pump-7' } as const]
    const change = withExtension('subjectAltName', false, encodeSubjectAltNames(subjectAltNames))
    expect(broken(change, { subjectAltNames })).toEqual(['subjectAltName'])
  })

  it('finds two SPIFFE URIs, even when both were admitted', () => {
    const subjectAltNames = [uri, { type: 'uri', value: 'spiffe://fleet.example/device/pump-8' } as const]
    const change = withExtension('subjectAltName', false, encodeSubjectAltNames(subjectAltNames))
    expect(broken(change, { subjectAltNames })).toEqual(['subjectAltName'])
  })

  it('finds key identifiers of other keys', () => {
    const other = keyIdentifier(exportPublicKey(testKeyPair('P-256', 'other').publicKey))
    expect(broken(withExtension('subjectKeyIdentifier', false, octetString(other)))).toEqual([
      'subjectKeyIdentifier',
    ])
    const authority = sequence(implicit(0, other))
    expect(broken(withExtension('authorityKeyIdentifier', false, authority))).toEqual([
      'authorityKeyIdentifier',
    ])
  })

  it.each([
    ['nameConstraints', '2.5.29.30', sequence()],
    ['an extension of nobody', '1.2.3.4', sequence()],
    ['a Netscape comment', '2.16.840.1.113730.1.13', sequence()],
    ['an inherited word', '2.5.29.54', sequence()],
  ])('finds %s, which no profile has', (_what, id, value) => {
    expect(broken(withExtension(id, false, value))).toEqual(['extensions'])
    expect(broken(withExtension(id, true, value))).toEqual(['extensions'])
  })

  it('finds a policy, a nocheck and URLs that were not decided', () => {
    const policies = sequence(sequence(oid(claimPolicy)))
    expect(broken(withExtension('certificatePolicies', false, policies))).toEqual(['certificatePolicies'])
    expect(broken(withExtension('ocspNoCheck', false, Buffer.of(5, 0)))).toEqual(['ocspNoCheck'])
    const url = implicit(6, Buffer.from('http://evil.example/crl'))
    const points = sequence(sequence(explicit(0, explicit(0, url))))
    expect(broken(withExtension('cRLDistributionPoints', false, points))).toEqual(['cRLDistributionPoints'])
    const ocsp = sequence(sequence(oid('1.3.6.1.5.5.7.48.1'), url))
    expect(broken(withExtension('authorityInfoAccess', false, ocsp))).toEqual(['authorityInfoAccess'])
    const issuers = sequence(sequence(oid('1.3.6.1.5.5.7.48.2'), url))
    expect(broken(withExtension('authorityInfoAccess', false, issuers))).toEqual(['authorityInfoAccess'])
  })

  it('misses a policy, a nocheck and URLs that were decided', () => {
    const profile = { ...defaultProfiles.device, policies: [claimPolicy], ocspNoCheck: true }
    const urls = { crl: 'http://a.example/1', ocsp: 'http://a.example/2', caIssuers: 'http://a.example/3' }
    expect(broken({}, { profile, urls })).toEqual([
      'certificatePolicies',
      'ocspNoCheck',
      'cRLDistributionPoints',
      'authorityInfoAccess',
    ])
  })
})

describe('reading back before signing refuses', () => {
  it.each([
    ['version 2', () => ({ version: explicit(0, integer(1)) }), /version must be 3/],
    ['no version', () => ({ version: Buffer.alloc(0) }), /version must be 3/],
    ['a serial of zero', () => ({ serial: integer(0) }), /serialNumber: must not be zero/],
    ['a negative serial', () => ({ serial: integer(-5) }), /serialNumber: a negative number/],
    [
      'a serial of 21 octets',
      () => ({ serial: unsignedInteger(Buffer.alloc(20, 0xff)) }),
      /serial: has 21 octets, at most 20/,
    ],
    [
      'an end before the beginning',
      () => validity('2026-11-20T11:00:00Z', '2026-11-20T10:00:00Z'),
      /lies before/,
    ],
    [
      'a SHA-1 signature',
      () => ({ signature: sequence(oid('1.2.840.113549.1.1.5'), Buffer.of(5, 0)) }),
      /1\.2\.840\.113549\.1\.1\.5 is not supported/,
    ],
    [
      'unique identifiers',
      () => ({ key: Buffer.concat([publicKeyInfo, implicit(1, Buffer.of(0, 1))]) }),
      /UniqueID/,
    ],
    ['an empty list of names', () => withExtension('subjectAltName', false, sequence()), /subjectAltName/],
    [
      'a keyUsage without bits',
      () => withExtension('keyUsage', true, bitString(Buffer.alloc(0))),
      /keyUsage/,
    ],
    [
      'cA FALSE in so many octets',
      () => withExtension('basicConstraints', true, sequence(boolean(false))),
      /FALSE/,
    ],
  ])('%s', (_what, change, message) => {
    expect(() => broken(change() as Partial<TbsParts>)).toThrow(message)
  })

  it('an extension that occurs twice', () => {
    const tbs = encode(parts)
    const again = encodeExtension({ oid: extensionOids.ocspNoCheck, critical: false, value: Buffer.of(5, 0) })
    const list = sequence(again, again)
    const twice = sequence(
      ...Object.values({ ...parts, extensions: undefined }).filter((part) => part !== undefined),
      explicit(3, list),
    )
    expect(() => lint(twice, expectation)).toThrow(/occurs twice/)
    expect(() => lint(Buffer.concat([tbs, Buffer.of(0)]), expectation)).toThrow(/after its last element/)
  })
})
