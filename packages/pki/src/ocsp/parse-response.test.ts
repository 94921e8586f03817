import { describe, expect, it } from 'vitest'
import {
  bitString,
  enumerated,
  explicit,
  generalizedTime,
  implicit,
  integer,
  nullValue,
  octetString,
  oid,
  sequence,
  tlv,
} from '../der/index.ts'
import { encodeExtension } from '../extension/index.ts'
import { encodeSignatureAlgorithm } from '../key/index.ts'
import { refusalOf } from '../testing/refusal.ts'
import { testNow } from '../testing/authority.ts'
import { ask, issuing } from '../testing/ocsp.ts'
import { parseOcspResponse } from './parse-response.ts'

const when = generalizedTime(testNow)
const certId = ask(['01']).certIds[0]?.der ?? Buffer.alloc(0)
const critical = sequence(encodeExtension({ oid: '1.2.3', critical: true, value: nullValue() }))
const good = implicit(0, Buffer.alloc(0))
const single = (status: Buffer, ...more: Buffer[]) => sequence(certId, status, when, ...more)

/** A response put together by hand, so that it can be wrong. */
function response(parts: {
  type?: string
  before?: Buffer[]
  responses?: Buffer[]
  after?: Buffer[]
  certificates?: Buffer[]
  end?: Buffer[]
}): Buffer {
  const {
    type = '1.3.6.1.5.5.7.48.1.1',
    before = [],
    responses = [single(good)],
    after = [],
    end = [],
  } = parts
  const data = sequence(
    ...before,
    explicit(2, octetString(Buffer.alloc(20))),
    when,
    sequence(...responses),
    ...after,
  )
  const certs = parts.certificates === undefined ? [] : [explicit(0, sequence(...parts.certificates))]
  const basic = sequence(data, encodeSignatureAlgorithm('Ed25519'), bitString(Buffer.alloc(64)), ...certs)
  return sequence(enumerated(0), explicit(0, sequence(oid(type), octetString(basic))), ...end)
}

/** The CA's certificate with a key that is no SubjectPublicKeyInfo. */
function withoutKey(): Buffer {
  const { der, publicKeyInfo } = issuing.certificate
  const copy = Buffer.from(der)
  // The BIT STRING of the key becomes an OCTET STRING.
  copy[der.indexOf(publicKeyInfo) + publicKeyInfo.length - 68] = 0x04
  return copy
}

describe('parseOcspResponse', () => {
  it('reads the response that the cases below make wrong', () => {
    const read = parseOcspResponse(response({ certificates: [issuing.certificate.der] }))
    expect(read).toMatchObject({
      status: 'successful',
      nonce: undefined,
      certificates: [{ serial: issuing.certificate.serial }],
    })
  })

  const revoked = (...fields: Buffer[]) => single(tlv(0xa1, when, ...fields))
  it.each<[string, Buffer, string]>([
    ['another type of response', response({ type: '1.2.3' }), 'responseType must be id-pkix-ocsp-basic'],
    ['its default version', response({ before: [explicit(0, integer(0))] }), 'version must be left out'],
    ['something behind it', response({ end: [nullValue()] }), 'after its last element'],
    ['a good with content', response({ responses: [single(implicit(0, Buffer.of(1)))] }), 'have no content'],
    [
      'an unknown with content',
      response({ responses: [single(implicit(2, Buffer.of(1)))] }),
      'have no content',
    ],
    [
      'a status that is none',
      response({ responses: [single(implicit(3, Buffer.alloc(0)))] }),
      'must be good',
    ],
    ['reason 7', response({ responses: [revoked(explicit(0, enumerated(7)))] }), '7 is not a reason'],
    ['removeFromCRL', response({ responses: [revoked(explicit(0, enumerated(8)))] }), '8 is not a reason'],
    ['a longer revoked', response({ responses: [revoked(nullValue())] }), 'after its last element'],
    ['a critical extension', response({ after: [explicit(1, critical)] }), '1.2.3 is unknown'],
    ['one of an answer', response({ responses: [single(good, explicit(1, critical))] }), '1.2.3 is unknown'],
    ['33 answers', response({ responses: Array.from({ length: 33 }, () => single(good)) }), 'more than 32'],
    [
      'five certificates',
      response({ certificates: Array.from({ length: 5 }, () => issuing.certificate.der) }),
      'carries more than 4 certificates',
    ],
    ['a certificate without a key', response({ certificates: [withoutKey()] }), 'subjectPublicKey'],
    ['an error with an answer', sequence(enumerated(3), explicit(0, nullValue())), 'after its last element'],
  ])('refuses %s', (_, der, message) => {
    const refused = refusalOf(() => parseOcspResponse(der))
    expect(refused.code).toBe('ocsp-response-malformed')
    expect(refused.message).toContain(message)
  })
})
