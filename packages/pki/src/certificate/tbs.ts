import { contextPrimitive, type DerReader } from '../der/index.ts'
import { PkiError } from '../error.ts'
import { type Extension, readExtensions } from '../extension/index.ts'
import { readSignatureAlgorithm, type SignatureAlgorithm } from '../key/index.ts'
import { type Name, readName } from '../name/index.ts'
import { serialFromBytes, type SerialNumber } from '../serial.ts'

/** The fields of a TBSCertificate. */
export interface TbsCertificate {
  readonly serial: SerialNumber
  readonly signatureAlgorithm: SignatureAlgorithm
  readonly issuer: Name
  readonly issuerDer: Buffer
  readonly notBefore: Date
  readonly notAfter: Date
  readonly subject: Name
  readonly subjectDer: Buffer
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKeyInfo: Buffer
  readonly extensions: readonly Extension[]
}

const version3 = 2

/**
 * Reads a TBSCertificate (RFC 5280, 4.1.2):
 *
 *     TBSCertificate  ::=  SEQUENCE  {
 *          version         [0]  EXPLICIT Version DEFAULT v1,
 *          serialNumber         CertificateSerialNumber,
 *          signature            AlgorithmIdentifier,
 *          issuer               Name,
 *          validity             Validity,
 *          subject              Name,
 *          subjectPublicKeyInfo SubjectPublicKeyInfo,
 *          issuerUniqueID  [1]  IMPLICIT UniqueIdentifier OPTIONAL,
 *          subjectUniqueID [2]  IMPLICIT UniqueIdentifier OPTIONAL,
 *          extensions      [3]  EXPLICIT Extensions OPTIONAL }
 *
 * Only version 3 is read: without extensions a certificate says neither CA nor purpose nor name. The unique
 * identifiers, which RFC 5280 forbids to make, are refused.
 *
 * @throws PkiError `certificate-malformed`, `der-invalid`, `serial-invalid`, `extension-invalid` or
 * `signature-algorithm-unsupported`
 */
export function readTbsCertificate(reader: DerReader): TbsCertificate {
  const tbs = reader.sequence('TBSCertificate')
  const version = tbs.optionalExplicit(0, 'version')
  if (version === undefined || version.smallInteger('version') !== version3) {
    throw malformed('version must be 3; make the certificate with extensions')
  }
  version.end('version')
  const serial = serialFromBytes(tbs.positiveInteger('serialNumber'))
  const signatureAlgorithm = readSignatureAlgorithm(tbs, 'signature')
  const issuer = tbs.encoding((inner) => readName(inner, 'issuer'))
  const validity = tbs.sequence('validity')
  const notBefore = validity.time('notBefore')
  const notAfter = validity.time('notAfter')
  validity.end('validity')
  if (notAfter < notBefore) throw malformed('notAfter lies before notBefore')
  const subject = tbs.encoding((inner) => readName(inner, 'subject'))
  const publicKeyInfo = tbs.element('subjectPublicKeyInfo')
  const next = tbs.peek()
  if (next === contextPrimitive(1) || next === contextPrimitive(2)) {
    throw malformed('issuerUniqueID and subjectUniqueID are not allowed (RFC 5280, 4.1.2.8)')
  }
  const wrapper = tbs.optionalExplicit(3, 'extensions')
  const extensions = wrapper === undefined ? [] : readExtensions(wrapper, 'extensions')
  wrapper?.end('extensions')
  tbs.end('TBSCertificate')
  return {
    serial,
    signatureAlgorithm,
    issuer: issuer.value,
    issuerDer: issuer.der,
    notBefore,
    notAfter,
    subject: subject.value,
    subjectDer: subject.der,
    publicKeyInfo,
    extensions,
  }
}

function malformed(problem: string): PkiError {
  return new PkiError('certificate-malformed', `certificate: ${problem}`)
}
