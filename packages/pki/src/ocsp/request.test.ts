import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  explicit,
  integer,
  nullValue,
  octetString,
  oid,
  sequence,
  tlv,
  unsignedInteger,
} from '../der/index.ts'
import { encodeExtension } from '../extension/index.ts'
import { refusalOf } from '../testing/refusal.ts'
import { parseSerial } from '../serial.ts'
import { certIdMatches, createCertId } from './cert-id.ts'
import { issuing, root } from '../testing/ocsp.ts'
import {
  createOcspRequest,
  maxOcspRequestBytes,
  maxOcspRequestCertificates,
  parseOcspRequest,
} from './request.ts'

const five = parseSerial('05')
const certId = createCertId(issuing.certificate, five)
const nonceOf = (value: Buffer) =>
  explicit(2, sequence(encodeExtension({ oid: '1.3.6.1.5.5.7.48.1.2', critical: false, value })))

/** A request put together by hand, so that it can be wrong. */
function request(parts: {
  before?: Buffer[]
  certIds?: Buffer[]
  single?: Buffer[]
  after?: Buffer[]
}): Buffer {
  const { before = [], certIds = [certId.der], single = [], after = [] } = parts
  return sequence(sequence(...before, sequence(...certIds.map((der) => sequence(der, ...single))), ...after))
}

/** A CertID put together by hand. */
function handMade(parts: { algorithm?: Buffer; serial?: Buffer }): Buffer {
  const { algorithm = sequence(oid('1.3.14.3.2.26')), serial = integer(5) } = parts
  return sequence(algorithm, octetString(Buffer.alloc(20, 1)), octetString(Buffer.alloc(20, 2)), serial)
}

describe('an OCSP request', () => {
  it('reads back as it was made, with any nonce of 1 to 128 octets and up to 32 certificates', () => {
    const serials = fc.array(fc.bigInt({ min: 1n, max: 2n ** 159n - 1n }), {
      minLength: 1,
      maxLength: maxOcspRequestCertificates,
    })
    const nonces = fc.option(fc.uint8Array({ minLength: 1, maxLength: 128 }), { nil: undefined })
    const hashes = fc.constantFrom('sha1', 'sha256', 'sha384', 'sha512')
    fc.assert(
      fc.property(serials, nonces, hashes, (serials, nonce, hash) => {
        const certIds = serials.map((serial) =>
          createCertId(issuing.certificate, parseSerial(serial.toString(16)), hash),
        )
        const read = parseOcspRequest(createOcspRequest({ certIds, nonce }))
        expect(read.certIds).toEqual(certIds)
        expect(read.nonce).toEqual(nonce === undefined ? undefined : Buffer.from(nonce))
      }),
    )
  })

  it('names its issuer by name and key, by any of the SHA family, and matches no other CA', () => {
    for (const hash of ['sha1', 'sha256', 'sha384', 'sha512'] as const) {
      const certId = createCertId(issuing.certificate, five, hash)
      expect(certIdMatches(certId, issuing.certificate)).toBe(true)
      expect(certIdMatches(certId, root.certificate)).toBe(false)
      const other = createCertId(root.certificate, five, hash)
      expect(certIdMatches({ ...certId, issuerKeyHash: other.issuerKeyHash }, issuing.certificate)).toBe(
        false,
      )
      expect(certIdMatches({ ...certId, issuerNameHash: other.issuerNameHash }, issuing.certificate)).toBe(
        false,
      )
    }
  })

  it('by a hash that is not supported is read, and matches nobody', () => {
    const der = handMade({ algorithm: sequence(oid('1.2.3'), nullValue()) })
    const [read] = parseOcspRequest(request({ certIds: [der] })).certIds
    expect(read).toMatchObject({ hash: undefined, serial: '05', der })
    expect(read && certIdMatches(read, issuing.certificate)).toBe(false)
  })

  it('may leave the NULL of its hash out, and may be signed by whomever', () => {
    const [read] = parseOcspRequest(request({ certIds: [handMade({})] })).certIds
    expect(read?.hash).toBe('sha1')
    const named = request({ before: [explicit(1, explicit(4, sequence()))] })
    const [tbs] = [named.subarray(2)]
    expect(parseOcspRequest(sequence(tbs ?? named, explicit(0, sequence(sequence())))).certIds).toHaveLength(
      1,
    )
  })

  const tooMany = Array.from({ length: maxOcspRequestCertificates + 1 }, () => handMade({}))
  const critical = encodeExtension({ oid: '1.2.3', critical: true, value: nullValue() })
  it.each<[string, Buffer, string]>([
    ['of nobody', request({ certIds: [] }), 'sequence is missing'],
    ['of too many', request({ certIds: tooMany }), 'more than 32 certificates'],
    ['with its default version', request({ before: [explicit(0, integer(0))] }), 'version must be left out'],
    [
      'with an empty nonce',
      request({ after: [nonceOf(octetString(Buffer.alloc(0)))] }),
      'nonce: must have 1 to 128',
    ],
    [
      'with a nonce of 129',
      request({ after: [nonceOf(octetString(Buffer.alloc(129)))] }),
      'nonce: must have 1 to',
    ],
    ['with a raw nonce', request({ after: [nonceOf(Buffer.from('raw'))] }), 'nonce'],
    [
      'with an unknown critical extension',
      request({ after: [explicit(2, sequence(critical))] }),
      '1.2.3 is unknown',
    ],
    ['with one for a single one', request({ single: [explicit(0, sequence(critical))] }), '1.2.3 is unknown'],
    ['about the serial 0', request({ certIds: [handMade({ serial: integer(0) })] }), 'must not be zero'],
    ['about a negative serial', request({ certIds: [handMade({ serial: integer(-1) })] }), 'negative'],
    [
      'about a serial of 21 octets',
      request({ certIds: [handMade({ serial: unsignedInteger(Buffer.alloc(20, 255)) })] }),
      '21 octets',
    ],
    [
      'with parameters of SHA-1',
      request({ certIds: [handMade({ algorithm: sequence(oid('1.3.14.3.2.26'), integer(1)) })] }),
      'hashAlgorithm',
    ],
    ['with something behind it', Buffer.concat([request({}), Buffer.of(0)]), 'after its last element'],
    [
      'with a third part',
      sequence(request({}).subarray(2), explicit(0, nullValue()), nullValue()),
      'after its last',
    ],
    ['that is no request', tlv(0x31), 'expected sequence'],
  ])('%s is malformed', (_, der, message) => {
    const refused = refusalOf(() => parseOcspRequest(der))
    expect(refused.code).toBe('ocsp-request-malformed')
    expect(refused.message).toContain(message)
  })

  it('that is too large is not looked at', () => {
    expect(refusalOf(() => parseOcspRequest(Buffer.alloc(maxOcspRequestBytes + 1)))).toEqual({
      code: 'ocsp-request-too-large',
      message: 'OCSP request: has 16385 bytes, at most 16384 are allowed',
    })
  })

  it('is not made about nobody, about too many, or with a nonce of a wrong length', () => {
    const many = Array.from({ length: 33 }, () => certId)
    for (const certIds of [[], many]) {
      expect(refusalOf(() => createOcspRequest({ certIds })).code).toBe('ocsp-refused')
    }
    for (const length of [0, 129]) {
      const nonce = Buffer.alloc(length)
      expect(refusalOf(() => createOcspRequest({ certIds: [certId], nonce })).code).toBe('ocsp-refused')
    }
  })
})
