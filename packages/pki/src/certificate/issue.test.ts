import { X509Certificate } from 'node:crypto'
import * as fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { altered } from '../testing/altered.ts'
import { parseDeviceId } from '../device-id.ts'
import { PkiError } from '../error.ts'
import { certificateIdentity } from '../identity/index.ts'
import { generateKeyPair, type KeyAlgorithm, keySigner } from '../key/index.ts'
import { defaultProfiles, type Profile } from '../profile/index.ts'
import { newSerial, parseSerial } from '../serial.ts'
import { pump7, testAuthority, testNow } from '../testing/authority.ts'
import { testKeyPair } from '../testing/key-pair.ts'
import { issueCertificate, type Issuer, parseCertificate } from './index.ts'

let root: Issuer
let issuing: Issuer
beforeAll(async () => {
  ;({ root, issuing } = await testAuthority())
})

const leafKey = testKeyPair('P-256', 'leaf').publicKey

async function issue(changes: Partial<Parameters<typeof issueCertificate>[0]> = {}) {
  return issueCertificate({
    profile: defaultProfiles.device,
    issuer: issuing,
    subject: pump7,
    publicKey: leafKey,
    serial: newSerial(),
    now: testNow,
    ...changes,
  })
}

async function refusal(changes: Parameters<typeof issue>[0]): Promise<string> {
  try {
    await issue(changes)
  } catch (error) {
    if (error instanceof PkiError) return `${error.code}: ${error.message}`
    throw error
  }
  return 'issued'
}

describe('a device certificate', () => {
  it('has the names, usages and identifiers of its profile, as node:crypto reads them', async () => {
    const certificate = await issue({ serial: parseSerial('5f3a09c2') })
    const independent = new X509Certificate(certificate.der)
    expect(independent.subject).toBe('CN=pump-7')
    expect(independent.issuer).toBe('O=Fleetroot\nCN=Test Devices')
    expect(independent.subjectAltName).toBe('URI:spiffe://fleet.example/device/pump-7')
    expect(independent.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2'])
    expect(independent.serialNumber).toBe('5F3A09C2')
    expect(independent.ca).toBe(false)
    expect(independent.checkIssued(new X509Certificate(issuing.certificate.der))).toBe(true)
    expect(independent.verify(issuing.certificate.publicKey)).toBe(true)
    expect(independent.publicKey.equals(leafKey)).toBe(true)
  })

  it('is valid from an hour before it was issued until thirty days after, in whole seconds', async () => {
    const certificate = await issue()
    expect(certificate.notBefore.toISOString()).toBe('2026-11-20T11:00:00.000Z')
    expect(certificate.notAfter.toISOString()).toBe('2026-12-20T12:00:00.000Z')
    const independent = new X509Certificate(certificate.der)
    expect(independent.validFromDate).toEqual(certificate.notBefore)
    expect(independent.validToDate).toEqual(certificate.notAfter)
  })

  it('marks basicConstraints and keyUsage critical and nothing else', async () => {
    const { extensions } = await issue()
    expect(extensions.filter(({ critical }) => critical).map(({ oid }) => oid)).toEqual([
      '2.5.29.19',
      '2.5.29.15',
    ])
    expect(extensions.map(({ oid }) => oid).toSorted()).toEqual(
      ['2.5.29.14', '2.5.29.15', '2.5.29.17', '2.5.29.19', '2.5.29.35', '2.5.29.37'].toSorted(),
    )
  })

  it('carries no URL until one is given, and then that one', async () => {
    const without = await issue()
    expect([without.crlUrls, without.caIssuersUrls, without.ocspUrls]).toEqual([[], [], []])
    const urls = {
      caIssuers: 'http://ca.example/devices.crt',
      crl: 'http://ca.example/devices.crl',
      ocsp: 'http://ca.example/ocsp',
    }
    const certificate = await issue({ urls })
    expect(new X509Certificate(certificate.der).infoAccess).toBe(
      'OCSP - URI:http://ca.example/ocsp\nCA Issuers - URI:http://ca.example/devices.crt',
    )
    expect(certificate.crlUrls).toEqual([urls.crl])
    // The same issuer and profile without URLs again: the template of the one must not serve the other.
    expect((await issue()).caIssuersUrls).toEqual([])
  })

  it('names the key by the first 160 bits of the SHA-256 of its BIT STRING', async () => {
    const certificate = await issue()
    const point = certificate.publicKeyInfo.subarray(-65)
    const digest = await crypto.subtle.digest('SHA-256', new Uint8Array(point))
    expect(certificate.subjectKeyId).toBe(Buffer.from(digest).toString('hex').slice(0, 40))
    expect(certificate.authorityKeyId).toBe(issuing.certificate.subjectKeyId)
  })
})

describe('each leaf profile', () => {
  it.each([
    ['device', 'URI:spiffe://fleet.example/device/pump-7', ['1.3.6.1.5.5.7.3.2']],
    ['service', 'URI:spiffe://fleet.example/service/pump-7', ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']],
    ['operator', 'URI:spiffe://fleet.example/operator/pump-7', ['1.3.6.1.5.5.7.3.2']],
    ['claim', 'URI:spiffe://fleet.example/claim/pump-7', ['1.3.6.1.5.5.7.3.2']],
    ['ocsp', undefined, ['1.3.6.1.5.5.7.3.9']],
  ] as const)('%s has its role and its purposes', async (name, subjectAltName, purposes) => {
    const profile: Profile = defaultProfiles[name]
    const certificate = await issue({ profile })
    const independent = new X509Certificate(certificate.der)
    expect(independent.subjectAltName).toBe(subjectAltName)
    expect(independent.keyUsage).toEqual(purposes)
    expect(certificate.keyUsage).toEqual(['digitalSignature'])
    expect(certificate.policies).toEqual(profile.policies)
    expect(certificate.ocspNoCheck).toBe(name === 'ocsp')
    const identity = certificateIdentity(certificate)
    expect('role' in identity ? identity.role : undefined).toBe(profile.role)
  })

  it('service takes the DNS names and IP addresses that were admitted', async () => {
    const subject = { ...pump7, dns: ['broker.example', 'localhost'], ip: ['127.0.0.1', '::1'] }
    const independent = new X509Certificate((await issue({ profile: defaultProfiles.service, subject })).der)
    expect(independent.subjectAltName).toBe(
      'URI:spiffe://fleet.example/service/pump-7, DNS:broker.example, DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1',
    )
    expect(independent.checkHost('broker.example')).toBe('broker.example')
    expect(independent.checkIP('::1')).toBe('::1')
  })

  it('gives keyEncipherment to RSA keys only, and only where the profile asks', async () => {
    const asks = { ...defaultProfiles.service, rsaKeyEncipherment: true }
    const rsa = testKeyPair('RSA-2048', 'leaf').publicKey
    const usage = async (profile: Profile, publicKey = rsa) => (await issue({ profile, publicKey })).keyUsage
    expect(await usage(asks)).toEqual(['digitalSignature', 'keyEncipherment'])
    expect(await usage(asks, leafKey)).toEqual(['digitalSignature'])
    expect(await usage(defaultProfiles.service)).toEqual(['digitalSignature'])
  })
})

describe('validity', () => {
  it('never ends after the issuer', async () => {
    const now = new Date(issuing.certificate.notAfter.getTime() - 60_000)
    expect((await issue({ now })).notAfter).toEqual(issuing.certificate.notAfter)
  })

  it('never begins before the issuer', async () => {
    const now = new Date(issuing.certificate.notBefore.getTime() + 1000)
    expect((await issue({ now })).notBefore).toEqual(issuing.certificate.notBefore)
  })

  it('is encoded as GeneralizedTime from 2050 on', async () => {
    const { issuing } = await testAuthority('P-256', new Date('2045-06-01T00:00:00Z'))
    const profile: Profile = { ...defaultProfiles.service, lifetimeSeconds: 6 * 365 * 86_400 }
    const certificate = await issue({ issuer: issuing, profile, now: new Date('2045-06-01T00:00:00Z') })
    expect(certificate.notAfter.toISOString()).toBe('2051-05-31T00:00:00.000Z')
    expect(new X509Certificate(certificate.der).validToDate).toEqual(certificate.notAfter)
  })
})

describe('every pair of issuer and leaf algorithm', () => {
  const algorithms: KeyAlgorithm[] = ['P-256', 'P-384', 'Ed25519', 'RSA-2048', 'RSA-3072', 'RSA-4096']
  const signatures = {
    'P-256': 'ecdsa-with-SHA256',
    'P-384': 'ecdsa-with-SHA384',
    Ed25519: 'Ed25519',
    'RSA-2048': 'sha256WithRSAEncryption',
    'RSA-3072': 'sha256WithRSAEncryption',
    'RSA-4096': 'sha256WithRSAEncryption',
  }
  describe.each(algorithms)('an issuer with %s', (issuerAlgorithm) => {
    it.each(algorithms)(
      'signs a leaf with %s that node:crypto verifies up to the root',
      async (leafAlgorithm) => {
        const { root, issuing } = await testAuthority(issuerAlgorithm)
        const { publicKey } = testKeyPair(leafAlgorithm, 'leaf')
        const certificate = await issue({ issuer: issuing, publicKey })
        expect(certificate.signatureAlgorithm).toBe(signatures[issuerAlgorithm])
        const chain = [certificate, issuing.certificate, root.certificate].map(
          ({ der }) => new X509Certificate(der),
        )
        const [leaf, ca, anchor] = chain as [X509Certificate, X509Certificate, X509Certificate]
        expect(leaf.checkIssued(ca) && leaf.verify(ca.publicKey)).toBe(true)
        expect(ca.checkIssued(anchor) && ca.verify(anchor.publicKey)).toBe(true)
        expect(anchor.checkIssued(anchor) && anchor.verify(anchor.publicKey)).toBe(true)
        expect(leaf.publicKey.equals(publicKey)).toBe(true)
      },
    )
  })
})

describe('what is not issued', () => {
  it('is a CA from a leaf profile call', async () => {
    expect(await refusal({ profile: defaultProfiles.issuing })).toBe(
      'issuance-refused: profile issuing makes a CA; use createIssuingCertificate',
    )
  })

  it('is a name that the profile does not allow', async () => {
    expect(await refusal({ subject: { ...pump7, dns: ['broker.example'] } })).toBe(
      'issuance-refused: subject: profile device allows no dns names, broker.example was admitted',
    )
    expect(await refusal({ subject: { ...pump7, ip: ['10.0.0.1'] } })).toMatch(
      /^issuance-refused: .* no ip names/,
    )
  })

  it('is a DNS name or address that is none', async () => {
    const profile = defaultProfiles.service
    const dns = await refusal({ profile, subject: { ...pump7, dns: ['a b'] } })
    const ip = await refusal({ profile, subject: { ...pump7, ip: ['10.0.0'] } })
    expect([dns, ip]).toEqual([
      expect.stringMatching(/^subject-alt-name-invalid: /),
      expect.stringMatching(/^subject-alt-name-invalid: /),
    ])
  })

  it('is an id or a trust domain outside its grammar, even when the type was forced', async () => {
    const forced = 'a/b' as typeof pump7.id
    expect(await refusal({ subject: { ...pump7, id: forced } })).toMatch(/^device-id-invalid: /)
    expect(await refusal({ subject: { ...pump7, id: forced }, profile: defaultProfiles.ocsp })).toMatch(
      /^device-id-invalid: /,
    )
    expect(await refusal({ subject: { ...pump7, trustDomain: 'Fleet.example' } })).toMatch(
      /^trust-domain-invalid: /,
    )
  })

  it('is a certificate for the key of the CA itself', async () => {
    expect(await refusal({ publicKey: issuing.certificate.publicKey })).toMatch(
      /^lint-failed: .*subjectPublicKeyInfo must not be the key of the issuer/,
    )
  })

  it('is a certificate for a weak or unsupported key', async () => {
    const weak = (await import('node:crypto')).generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey
    expect(await refusal({ publicKey: weak })).toMatch(/^issuance-refused: /)
    const curve = (await import('node:crypto')).generateKeyPairSync('ec', {
      namedCurve: 'secp521r1',
    }).publicKey
    expect(await refusal({ publicKey: curve })).toMatch(/^issuance-refused: .*curve secp521r1/)
  })

  it('is anything by an issuer that is no CA', async () => {
    const { publicKey, privateKey } = generateKeyPair('P-256')
    const leaf = await issue({ publicKey })
    expect(await refusal({ issuer: { certificate: leaf, signer: keySigner(privateKey) } })).toBe(
      'issuance-refused: issuer: certificate is not that of a CA with keyCertSign',
    )
  })

  it.each([
    ['may sign CRLs only', { keyUsage: ['cRLSign'] as const }],
    ['says nothing about its key usage', { keyUsage: undefined }],
    ['is marked as no CA', { basicConstraints: { ca: false, pathLength: undefined } }],
    ['has no basicConstraints', { basicConstraints: undefined }],
    ['has no key identifier', { subjectKeyId: undefined }],
  ])('is anything by an issuer that %s', async (_what, change) => {
    const certificate = altered(issuing.certificate, change)
    expect(await refusal({ issuer: { certificate, signer: issuing.signer } })).toMatch(
      /^issuance-refused: issuer: certificate /,
    )
  })

  it('is anything by a signer that holds another key', async () => {
    const signer = keySigner(generateKeyPair('P-256').privateKey)
    expect(await refusal({ issuer: { certificate: issuing.certificate, signer } })).toMatch(/^key-mismatch: /)
  })

  it('is anything by a signer whose signatures do not verify', async () => {
    const other = keySigner(generateKeyPair('P-256').privateKey)
    const signer = { ...issuing.signer, sign: (bytes: Uint8Array) => other.sign(bytes) }
    const issuer = { certificate: issuing.certificate, signer }
    expect(await refusal({ issuer })).toMatch(/^key-mismatch: .* its own public key does not verify/)
    // The second attempt finds the template in the cache: it must not pass for that.
    expect(await refusal({ issuer })).toMatch(/^key-mismatch: /)
  })

  it('is a URL that a relying party could not fetch', async () => {
    expect(await refusal({ urls: { crl: 'ca.example/crl' } })).toBe(
      'issuance-refused: urls: crl must be an http URL in ASCII',
    )
    expect(await refusal({ urls: { ocsp: 'http://ca.example/ö' } })).toMatch(/^issuance-refused: urls: ocsp /)
  })

  it('is anything outside the validity of the issuer', async () => {
    const before = new Date(issuing.certificate.notBefore.getTime() - 1)
    const { notAfter } = issuing.certificate
    expect(await refusal({ now: before })).toMatch(/^issuance-refused: issuer: is valid from /)
    expect(await refusal({ now: notAfter })).toMatch(/^issuance-refused: issuer: expired at /)
    expect(await refusal({ now: new Date(Number.NaN) })).toBe('issuance-refused: now: must be a valid date')
  })

  it('is a profile that was changed after its template was made', async () => {
    const profile: Profile & { policies: string[] } = { ...defaultProfiles.device, policies: [] }
    await issue({ profile })
    profile.policies.push('1.2.3')
    expect(await refusal({ profile })).toMatch(/^lint-failed: .*certificatePolicies must be exactly/)
  })
})

describe('parse and issue', () => {
  const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?$/)
  const names = fc.record({
    id: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/),
    trustDomain: fc.stringMatching(/^[a-z0-9._-]{1,60}$/),
    dns: fc.uniqueArray(
      fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join('.')),
      {
        maxLength: 4,
      },
    ),
    ip: fc.uniqueArray(fc.ipV4(), { maxLength: 3 }),
  })
  const serial = fc
    .uint8Array({ minLength: 16, maxLength: 16 })
    .filter((octets) => octets.some((octet) => octet > 0x7f))

  it('agree about every admitted subject, serial and moment, and so does node:crypto', async () => {
    await fc.assert(
      fc.asyncProperty(names, serial, fc.integer({ min: 0, max: 3e8 }), async (subject, octets, later) => {
        const admitted = { ...subject, id: parseDeviceId(subject.id) }
        const issued = await issue({
          profile: defaultProfiles.service,
          subject: admitted,
          serial: newSerial(() => octets),
          now: new Date(testNow.getTime() + later * 1000),
        })
        const parsed = parseCertificate(issued.der)
        expect(parsed.publicKey.equals(leafKey)).toBe(true)
        // Every field, the lazy ones included, is what a stranger's parse of the same octets gives.
        expect({ ...parsed, publicKey: undefined }).toEqual({ ...issued, publicKey: undefined })
        expect(parseCertificate(issued.pem).der).toEqual(issued.der)
        const independent = new X509Certificate(issued.der)
        expect(independent.subject).toBe(`CN=${subject.id}`)
        expect(independent.verify(issuing.certificate.publicKey)).toBe(true)
        expect(independent.serialNumber.toLowerCase().padStart(issued.serial.length, '0')).toBe(issued.serial)
        expect(certificateIdentity(parsed)).toEqual({
          id: subject.id,
          role: 'service',
          trustDomain: subject.trustDomain,
        })
      }),
      { numRuns: 200 },
    )
  })

  it('keep the root out of it: the root signs issuing CAs only by another function', async () => {
    expect(root.certificate.basicConstraints).toEqual({ ca: true, pathLength: undefined })
  })
})
