import { contextConstructed, type DerReader, explicit, readDer, sequence } from '../der/index.ts'
import { PkiError, recode } from '../error.ts'
import { readExtensions } from '../extension/index.ts'
import { type CertId, readCertId } from './cert-id.ts'
import { encodeNonce, readNonce, refuseCriticals } from './nonce.ts'

/** A request about one certificate has 80 to 150 octets; a signed one carries certificates. */
export const maxOcspRequestBytes = 16 * 1024

/** Each costs a look into the registry and 100 octets of answer: an answer must not be a gift to amplifiers. */
export const maxOcspRequestCertificates = 32

/** What a client asks. */
export interface OcspRequest {
  /** At least one. */
  readonly certIds: readonly CertId[]
  readonly nonce: Buffer | undefined
}

const malformedCode = 'ocsp-request-malformed'

/**
 * Makes a request, unsigned.
 *
 * @throws PkiError `ocsp-refused` without or with too many certificates, and for a nonce that is not 1 to 128 octets
 */
export function createOcspRequest(request: {
  certIds: readonly CertId[]
  nonce?: Uint8Array | undefined
}): Buffer {
  const { certIds, nonce } = request
  if (certIds.length === 0 || certIds.length > maxOcspRequestCertificates) {
    throw new PkiError(
      'ocsp-refused',
      `request: must ask about 1 to ${maxOcspRequestCertificates} certificates`,
    )
  }
  const list = sequence(...certIds.map(({ der }) => sequence(der)))
  return sequence(sequence(list, ...(nonce === undefined ? [] : [explicit(2, sequence(encodeNonce(nonce)))])))
}

/**
 * Parses a request, of which nothing may be believed: anybody may ask. A signature by the requestor is walked
 * and not verified, as the answer is the same for everybody.
 *
 *     OCSPRequest ::= SEQUENCE {                                          -- RFC 6960, 4.1.1
 *         tbsRequest SEQUENCE {
 *             version           [0] EXPLICIT Version DEFAULT v1,
 *             requestorName     [1] EXPLICIT GeneralName OPTIONAL,
 *             requestList           SEQUENCE OF SEQUENCE {
 *                 reqCert                     CertID,
 *                 singleRequestExtensions [0] EXPLICIT Extensions OPTIONAL },
 *             requestExtensions [2] EXPLICIT Extensions OPTIONAL },
 *         optionalSignature [0] EXPLICIT Signature OPTIONAL }
 *
 * @throws PkiError `ocsp-request-malformed` or `ocsp-request-too-large`; answer both with malformedRequest
 */
export function parseOcspRequest(der: Uint8Array): OcspRequest {
  try {
    return readDer(der, 'OCSP request', readRequest, { maxBytes: maxOcspRequestBytes })
  } catch (error) {
    throw recode(error, 'OCSP request', {
      prefix: 'ocsp-',
      malformed: malformedCode,
      tooLarge: 'ocsp-request-too-large',
      unsupported: malformedCode,
    })
  }
}

function readRequest(reader: DerReader): OcspRequest {
  const what = 'OCSP request'
  const outer = reader.sequence(what)
  const tbs = outer.sequence('tbsRequest')
  // v1 is the only version and the default, which DER leaves out.
  if (tbs.peek() === contextConstructed(0)) throw malformed('version must be left out, it can only be 1')
  if (tbs.peek() === contextConstructed(1)) tbs.element('requestorName')
  const certIds = readRequestList(tbs.sequence('requestList'))
  const wrapper = tbs.optionalExplicit(2, 'requestExtensions')
  const nonce =
    wrapper === undefined ? undefined : readNonce(readExtensions(wrapper, 'requestExtensions'), malformedCode)
  wrapper?.end('requestExtensions')
  tbs.end('tbsRequest')
  if (outer.peek() === contextConstructed(0)) outer.element('optionalSignature')
  outer.end(what)
  return { certIds, nonce }
}

function readRequestList(list: DerReader): CertId[] {
  const certIds: CertId[] = []
  do {
    if (certIds.length === maxOcspRequestCertificates) {
      throw malformed(`asks about more than ${maxOcspRequestCertificates} certificates`)
    }
    const request = list.sequence('request')
    certIds.push(readCertId(request))
    const extensions = request.optionalExplicit(0, 'singleRequestExtensions')
    if (extensions !== undefined) {
      refuseCriticals(readExtensions(extensions, 'singleRequestExtensions'), malformedCode)
      extensions.end('singleRequestExtensions')
    }
    request.end('request')
  } while (!list.done)
  return certIds
}

function malformed(problem: string): PkiError {
  return new PkiError(malformedCode, `OCSP request: ${problem}`)
}
