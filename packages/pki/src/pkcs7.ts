import {
  contextConstructed,
  explicit,
  implicitSetOf,
  integer,
  oid,
  readDer,
  sequence,
  setOf,
} from './der/index.ts'
import { parseCertificate } from './certificate/parse.ts'
import type { Certificate } from './certificate/certificate.ts'
import { PkiError } from './error.ts'

const signedData = '1.2.840.113549.1.7.2'
const data = '1.2.840.113549.1.7.1'

/** RFC 5652, 5.1: version 1 when all certificates are X.509 and the content is id-data. */
const version = 1

/** More than any chain, less than what would keep a parser busy. */
const maximumCertificates = 64

/**
 * A certs-only message: PKCS#7 SignedData without content and without signers, as EST sends it (RFC 7030,
 * 4.1.3; RFC 5652, 5.1; RFC 5272, 4.1):
 *
 *     ContentInfo ::= SEQUENCE { contentType id-signedData, content [0] EXPLICIT SignedData }
 *     SignedData  ::= SEQUENCE {
 *         version          CMSVersion,
 *         digestAlgorithms SET OF DigestAlgorithmIdentifier,         -- empty
 *         encapContentInfo SEQUENCE { eContentType id-data },        -- no content
 *         certificates [0] IMPLICIT SET OF Certificate,
 *         signerInfos      SET OF SignerInfo }                       -- empty
 *
 * The certificates are a set: DER sorts them, and no reader may take their order for the order of a chain.
 *
 * @param certificates parsed certificates or their DER, at least one.
 * @returns DER.
 * @throws PkiError `pkcs7-invalid` for an empty or too long list.
 */
export function encodeCertsOnly(certificates: readonly (Certificate | Uint8Array)[]): Buffer {
  if (certificates.length === 0 || certificates.length > maximumCertificates) {
    throw invalid(`must hold 1 to ${maximumCertificates} certificates`)
  }
  const ders = certificates.map((certificate) => ('der' in certificate ? certificate.der : certificate))
  return sequence(
    oid(signedData),
    explicit(0, sequence(integer(version), setOf(), sequence(oid(data)), implicitSetOf(0, ...ders), setOf())),
  )
}

/**
 * Reads a certs-only message. Certificates may stand in any order, as many programs write the set unsorted;
 * revocation lists beside them are skipped.
 *
 * Refuses content, digest algorithms and signers: a message that has them claims to be more than this reader
 * checks.
 *
 * @throws PkiError `pkcs7-invalid`, `der-invalid`, or what {@link parseCertificate} throws.
 */
export function decodeCertsOnly(der: Uint8Array): Certificate[] {
  return readDer(der, 'PKCS#7', (reader) => {
    const contentInfo = reader.sequence('PKCS#7')
    if (contentInfo.oid('contentType') !== signedData) throw invalid('contentType must be signedData')
    const content = contentInfo.constructed(contextConstructed(0), 'content')
    contentInfo.end('PKCS#7')
    const signed = content.sequence('SignedData')
    content.end('content')
    if (signed.smallInteger('version') !== version) throw invalid('version must be 1')
    if (!signed.setOf('digestAlgorithms').done) throw invalid('digestAlgorithms must be empty')
    const encapsulated = signed.sequence('encapContentInfo')
    if (encapsulated.oid('eContentType') !== data || !encapsulated.done) {
      throw invalid('encapContentInfo must be id-data without content')
    }
    if (signed.peek() !== contextConstructed(0)) throw invalid('certificates are missing')
    const set = signed.constructed(contextConstructed(0), 'certificates')
    const certificates: Certificate[] = []
    while (!set.done) {
      if (certificates.length === maximumCertificates) {
        throw invalid(`must hold at most ${maximumCertificates} certificates`)
      }
      certificates.push(parseCertificate(set.element('certificate')))
    }
    if (signed.peek() === contextConstructed(1)) signed.element('crls')
    if (!signed.setOf('signerInfos').done) throw invalid('signerInfos must be empty')
    signed.end('SignedData')
    if (certificates.length === 0) throw invalid('certificates are missing')
    return certificates
  })
}

function invalid(problem: string): PkiError {
  return new PkiError('pkcs7-invalid', `PKCS#7: ${problem}`)
}
