import * as fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { bitString, explicit, integer, oid, sequence } from '../der/index.ts'
import { PkiError } from '../error.ts'
import { encodeExtension, extensionOids } from '../extension/index.ts'
import { encodeSignatureAlgorithm } from '../key/index.ts'
import { toPem } from '../pem.ts'
import { defaultProfiles } from '../profile/index.ts'
import { newSerial } from '../serial.ts'
import { pump7, testAuthority, testNow } from '../testing/authority.ts'
import { testKeyPair } from '../testing/key-pair.ts'
import { type Certificate, issueCertificate, parseCertificate, parseCertificates } from './index.ts'

let leaf: Certificate
let ca: Certificate
beforeAll(async () => {
  const { issuing } = await testAuthority()
  ca = issuing.certificate
  leaf = await issueCertificate({
    profile: defaultProfiles.service,
    issuer: issuing,
    subject: { ...pump7, dns: ['broker.example'], ip: ['10.1.2.3'] },
    publicKey: testKeyPair('P-256', 'leaf').publicKey,
    serial: newSerial(),
    now: testNow,
    urls: { crl: 'http://ca.example/crl' },
  })
})

function refusal(input: string | Uint8Array): string {
  try {
    parseCertificate(input)
  } catch (error) {
    if (error instanceof PkiError) return `${error.code}: ${error.message}`
    throw error
  }
  return 'parsed'
}

/** The leaf with another extension list, signed by nobody: parsing does not ask who signed. */
function withExtension(id: string, value: Buffer): Buffer {
  const extensions = explicit(3, sequence(encodeExtension({ oid: id, critical: false, value })))
  const start = leaf.tbs.indexOf(Buffer.from(leaf.publicKeyInfo))
  const fields = leaf.tbs.subarray(4, start + leaf.publicKeyInfo.length)
  const algorithm = encodeSignatureAlgorithm(leaf.signatureAlgorithm)
  return sequence(sequence(fields, extensions), algorithm, bitString(leaf.signature))
}

describe('a certificate', () => {
  it('is read from DER and from a PEM text with one CERTIFICATE block, other blocks beside it', () => {
    expect(parseCertificate(leaf.der).der).toEqual(leaf.der)
    const text = `subject=pump\n${toPem('PUBLIC KEY', leaf.publicKeyInfo)}${leaf.pem}`
    expect(parseCertificate(text).fingerprint256).toBe(leaf.fingerprint256)
  })

  it('is not read from a PEM text with several, which parseCertificates reads in order', () => {
    expect(refusal(leaf.pem + ca.pem)).toBe(
      'certificate-malformed: certificate: the PEM text has several certificates, must have one',
    )
    expect(parseCertificates(leaf.pem + ca.pem).map(({ serial }) => serial)).toEqual([leaf.serial, ca.serial])
  })

  it('is not read from a PEM text without any', () => {
    expect(refusal(toPem('PUBLIC KEY', leaf.publicKeyInfo))).toBe(
      'pem-invalid: PEM: has no CERTIFICATE block',
    )
  })

  it('stays what it was when the caller changes the octets afterwards', () => {
    const octets = Buffer.from(leaf.der)
    const parsed = parseCertificate(octets)
    octets.fill(0)
    expect(parsed.fingerprint256).toBe(leaf.fingerprint256)
    expect(parsed.pem).toBe(leaf.pem)
  })

  it('is refused when it is cut off anywhere or goes on', () => {
    for (let length = 0; length < leaf.der.length; length += 1) {
      expect(refusal(leaf.der.subarray(0, length))).toMatch(/^der-invalid: /)
    }
    expect(refusal(Buffer.concat([leaf.der, Buffer.of(0)]))).toMatch(/^der-invalid: /)
  })

  it('is refused beyond 64 KiB', () => {
    expect(refusal(Buffer.alloc(64 * 1024 + 1, 0x30))).toMatch(/^der-too-large: /)
  })

  it('is refused when the signature algorithm that is signed is not the one outside', () => {
    const changed = sequence(
      leaf.tbs,
      encodeSignatureAlgorithm('ecdsa-with-SHA384'),
      bitString(leaf.signature),
    )
    expect(refusal(changed)).toBe(
      'certificate-malformed: certificate: signatureAlgorithm differs from signature',
    )
  })

  it('with one octet changed is parsed or refused with a PkiError, and is never the same certificate', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 255 }), (position, difference) => {
        const octets = Buffer.from(leaf.der)
        const at = position % octets.length
        octets[at] = (octets[at] ?? 0) ^ difference
        try {
          expect(parseCertificate(octets).fingerprint256).not.toBe(leaf.fingerprint256)
        } catch (error) {
          if (!(error instanceof PkiError)) throw error
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('is never anything else than a certificate or a PkiError, whatever the octets', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.string()), (input) => {
        expect(refusal(input)).toMatch(/^(der|pem|certificate|serial|extension|signature)-/)
      }),
      { numRuns: 1000 },
    )
  })
})

describe('an extension', () => {
  const uri = (text: string) => Buffer.concat([Buffer.of(0x86, text.length), Buffer.from(text)])
  const point = (...fields: Buffer[]) => sequence(sequence(...fields))
  const named = (text: string) => explicit(0, explicit(0, uri(text)))
  const crlUrls = (value: Buffer) =>
    parseCertificate(withExtension(extensionOids.cRLDistributionPoints, value)).crlUrls

  it('of CRL distribution points gives the URLs of points for all reasons and all issuers', () => {
    expect(crlUrls(point(named('http://a/')))).toEqual(['http://a/'])
    expect(crlUrls(point(named('http://a/'), Buffer.of(0x81, 2, 5, 0x60)))).toEqual([])
    expect(crlUrls(sequence(sequence(named('http://a/')), sequence(named('http://b/'))))).toEqual([
      'http://a/',
      'http://b/',
    ])
  })

  it('with a URL that is no ASCII text is refused', () => {
    const value = point(named('http://a/\n'))
    expect(refusal(withExtension(extensionOids.cRLDistributionPoints, value))).toMatch(
      /^certificate-malformed: /,
    )
  })

  it('of an authority key with issuer and serial is read for its keyIdentifier', () => {
    const general = Buffer.concat([Buffer.of(0xa1, 3), uri('x')])
    const value = sequence(Buffer.of(0x80, 2, 0xab, 0xcd), general, Buffer.of(0x82, 1, 5))
    const parsed = parseCertificate(withExtension(extensionOids.authorityKeyIdentifier, value))
    expect(parsed.authorityKeyId).toBe('abcd')
  })

  it('that nobody knows stays as it stands, critical or not', () => {
    const parsed = parseCertificate(withExtension('1.2.3.4', integer(7)))
    expect(parsed.extensions).toEqual([{ oid: '1.2.3.4', critical: false, value: integer(7) }])
  })

  it('of policies gives their object identifiers, qualifiers or not', () => {
    const value = sequence(sequence(oid('1.2.3')), sequence(oid('1.2.4'), sequence(sequence(oid('1.2.5')))))
    expect(parseCertificate(withExtension(extensionOids.certificatePolicies, value)).policies).toEqual([
      '1.2.3',
      '1.2.4',
    ])
  })

  it.each([
    [extensionOids.cRLDistributionPoints, sequence()],
    [extensionOids.certificatePolicies, sequence()],
    [extensionOids.authorityInfoAccess, sequence()],
    [extensionOids.ocspNoCheck, integer(0)],
    [extensionOids.subjectKeyIdentifier, integer(0)],
    [extensionOids.authorityKeyIdentifier, sequence(integer(0))],
    [extensionOids.subjectAltName, Buffer.concat([sequence(), Buffer.of(5, 0)])],
  ])('%s that is not what its name says is refused', (id, value) => {
    expect(refusal(withExtension(id, value))).toMatch(/^der-invalid: /)
  })
})
