import * as fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Certificate } from './certificate/index.ts'
import { contextConstructed, explicit, integer, oid, sequence, setOf, tlv } from './der/index.ts'
import { PkiError } from './error.ts'
import { decodeCertsOnly, encodeCertsOnly } from './pkcs7.ts'
import { testAuthority } from './testing/authority.ts'

let root: Certificate
let issuing: Certificate
beforeAll(async () => {
  const authority = await testAuthority()
  root = authority.root.certificate
  issuing = authority.issuing.certificate
})

function refusal(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    if (error instanceof PkiError) return `${error.code}: ${error.message}`
    throw error
  }
  return 'accepted'
}

/** A message in pieces, so that a test can replace one. */
function message(
  changes: Partial<Record<'type' | 'version' | 'digests' | 'content' | 'set' | 'crls' | 'signers', Buffer>>,
) {
  const parts = {
    version: integer(1),
    digests: setOf(),
    content: sequence(oid('1.2.840.113549.1.7.1')),
    set: tlv(contextConstructed(0), root.der, issuing.der),
    crls: Buffer.alloc(0),
    signers: setOf(),
    ...changes,
  }
  const { version, digests, content, set, crls, signers } = parts
  const type = changes.type ?? oid('1.2.840.113549.1.7.2')
  return sequence(type, explicit(0, sequence(version, digests, content, set, crls, signers)))
}

const ders = (certificates: readonly Certificate[]) =>
  certificates.map(({ der }) => der).toSorted((a, b) => a.compare(b))

describe('a certs-only message', () => {
  it('gives back the certificates that it was made from, parsed or in DER', () => {
    expect(ders(decodeCertsOnly(encodeCertsOnly([root, issuing])))).toEqual(ders([root, issuing]))
    expect(ders(decodeCertsOnly(encodeCertsOnly([issuing.der])))).toEqual([issuing.der])
  })

  it('is the same whatever the order of the certificates: it is a set', () => {
    expect(encodeCertsOnly([root, issuing])).toEqual(encodeCertsOnly([issuing, root]))
  })

  it('is read when its set is not sorted, as many programs write it', () => {
    const [first, second] = [root, issuing].toSorted((a, b) => Buffer.compare(b.der, a.der))
    const set = tlv(contextConstructed(0), first?.der ?? root.der, second?.der ?? root.der)
    expect(decodeCertsOnly(message({ set }))).toHaveLength(2)
  })

  it('may have revocation lists beside the certificates', () => {
    expect(decodeCertsOnly(message({ crls: tlv(contextConstructed(1), sequence()) }))).toHaveLength(2)
  })

  it('is not made of nothing, nor of more than 64', () => {
    expect(refusal(() => encodeCertsOnly([]))).toMatch(/^pkcs7-invalid: .*1 to 64/)
    expect(refusal(() => encodeCertsOnly(Array.from({ length: 65 }, () => root)))).toMatch(/^pkcs7-invalid: /)
  })

  it.each([
    [
      'another content type',
      () => message({ type: oid('1.2.840.113549.1.7.1') }),
      /contentType must be signedData/,
    ],
    ['version 3', () => message({ version: integer(3) }), /version must be 1/],
    [
      'a digest algorithm',
      () => message({ digests: setOf(sequence(oid('1.2.3'))) }),
      /digestAlgorithms must be/,
    ],
    [
      'content',
      () => message({ content: sequence(oid('1.2.840.113549.1.7.1'), explicit(0, integer(1))) }),
      /without/,
    ],
    ['another type of content', () => message({ content: sequence(oid('1.2.3')) }), /must be id-data/],
    ['a signer', () => message({ signers: setOf(sequence(integer(1))) }), /signerInfos must be empty/],
    ['no certificates', () => message({ set: Buffer.alloc(0) }), /certificates are missing/],
    ['an empty set', () => message({ set: tlv(contextConstructed(0)) }), /certificates are missing/],
    [
      'too many certificates',
      () => message({ set: tlv(contextConstructed(0), ...Array.from({ length: 65 }, () => root.der)) }),
      /at most 64/,
    ],
  ])('with %s is refused', (_what, make, sentence) => {
    const text = refusal(() => decodeCertsOnly(make()))
    expect(text).toMatch(/^pkcs7-invalid: /)
    expect(text).toMatch(sentence)
  })

  it('with something that is no certificate is refused', () => {
    const set = tlv(contextConstructed(0), sequence(integer(1)))
    expect(refusal(() => decodeCertsOnly(message({ set })))).toMatch(/^der-invalid: /)
  })

  it('is a message or a PkiError, whatever the octets', () => {
    const good = encodeCertsOnly([root])
    fc.assert(
      fc.property(fc.nat({ max: good.length - 1 }), fc.nat({ max: 255 }), fc.boolean(), (at, octet, cut) => {
        const changed = Buffer.from(good)
        changed[at] = octet
        expect(refusal(() => decodeCertsOnly(cut ? changed.subarray(0, at) : changed))).toMatch(
          /^(accepted|(pkcs7|der|certificate|serial|extension|signature)-)/,
        )
      }),
      { numRuns: 2000 },
    )
  })
})
