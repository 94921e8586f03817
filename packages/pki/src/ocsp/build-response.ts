import type { Certificate, Issuer } from '../certificate/index.ts'
import { bitString, enumerated, explicit, generalizedTime, octetString, oid, sequence } from '../der/index.ts'
import { PkiError } from '../error.ts'
import { encodeSignatureAlgorithm, exportPublicKey } from '../key/index.ts'
import type { SerialNumber } from '../serial.ts'
import { type CertId, certIdMatches, responderKeyHash } from './cert-id.ts'
import { encodeNonce } from './nonce.ts'
import { ocspOids } from './oid.ts'
import type { OcspRequest } from './request.ts'
import { isIssuerItself, requireResponder } from './responder.ts'
import { encodeStatus, type OcspStatus, type RevokedStatus } from './status.ts'

/**
 * What the registry found. `good` carries the serial of the certificate that was found: it cannot be said of
 * one that was not looked up, nor of another. Nothing found is `unknown`.
 */
export type FoundStatus =
  | { readonly status: 'good'; readonly serial: SerialNumber }
  | RevokedStatus
  | { readonly status: 'unknown' }

/** What {@link buildOcspResponse} needs. The clock is the caller's. */
export interface OcspResponseOptions {
  readonly request: OcspRequest
  /**
   * Looks one certificate up, of `issuer`; undefined: not found. It is not asked about certificates of other
   * CAs, which are `unknown` here.
   */
  readonly statuses: (certId: CertId) => FoundStatus | undefined | Promise<FoundStatus | undefined>
  /** The CA whose certificates are asked about. */
  readonly issuer: Certificate
  /** Who signs: the CA itself, or a certificate of the profile `ocsp` that it issued. */
  readonly responder: Issuer
  readonly producedAt: Date
  /** When the statuses were known to be right. */
  readonly thisUpdate: Date
  /** Until when a client may use the response. Shortened to the responder certificate's notAfter. */
  readonly nextUpdate: Date
}

/**
 * Answers a request, signed:
 *
 *     OCSPResponse ::= SEQUENCE {                                         -- RFC 6960, 4.2.1
 *         responseStatus ENUMERATED { successful(0) },
 *         responseBytes [0] EXPLICIT SEQUENCE {
 *             responseType id-pkix-ocsp-basic,
 *             response     OCTET STRING } }          -- BasicOCSPResponse
 *     BasicOCSPResponse ::= SEQUENCE {
 *         tbsResponseData SEQUENCE {
 *             responderID             [2] EXPLICIT KeyHash,
 *             producedAt                  GeneralizedTime,
 *             responses                   SEQUENCE OF SingleResponse,
 *             responseExtensions      [1] EXPLICIT Extensions OPTIONAL },   -- the nonce of the request
 *         signatureAlgorithm AlgorithmIdentifier,
 *         signature          BIT STRING,
 *         certs [0] EXPLICIT SEQUENCE OF Certificate OPTIONAL }             -- a delegated responder
 *
 * @returns DER
 * @throws PkiError `ocsp-refused` for a responder that may not answer for the CA, a `good` with another serial
 * than the one asked about, and times out of order; `key-mismatch` for a signer of another key; `time-invalid`.
 * A caller answers with `ocspErrorResponse('internalError')` then.
 */
export async function buildOcspResponse(options: OcspResponseOptions): Promise<Buffer> {
  const { request, issuer, responder, producedAt } = options
  const { certificate, signer } = responder
  await requireResponder(certificate, issuer, producedAt, 'ocsp-refused')
  if (!exportPublicKey(signer.publicKey).equals(certificate.publicKeyInfo)) {
    throw new PkiError('key-mismatch', 'responder: signer holds another key than that of certificate')
  }
  const singles: Buffer[] = []
  const times = encodeTimes(options)
  for (const certId of request.certIds) {
    singles.push(sequence(certId.der, encodeStatus(await statusOf(certId, options)), ...times))
  }
  const { nonce } = request
  const tbs = sequence(
    explicit(2, octetString(responderKeyHash(certificate))),
    generalizedTime(producedAt),
    sequence(...singles),
    ...(nonce === undefined ? [] : [explicit(1, sequence(encodeNonce(nonce)))]),
  )
  const basic = sequence(
    tbs,
    encodeSignatureAlgorithm(signer.algorithm),
    bitString(await signer.sign(tbs)),
    ...(isIssuerItself(certificate, issuer) ? [] : [explicit(0, sequence(certificate.der))]),
  )
  return sequence(enumerated(0), explicit(0, sequence(oid(ocspOids.basic), octetString(basic))))
}

/** Fail closed: what was not found, and what another CA issued, is unknown. */
async function statusOf(certId: CertId, { issuer, statuses }: OcspResponseOptions): Promise<OcspStatus> {
  const found = certIdMatches(certId, issuer) ? await statuses(certId) : undefined
  if (found === undefined) return { status: 'unknown' }
  if (found.status === 'good' && found.serial !== certId.serial) {
    throw refuse(`status: ${certId.serial} cannot be good because ${found.serial} was found`)
  }
  return found
}

/** thisUpdate and nextUpdate of every SingleResponse. */
function encodeTimes({ responder, producedAt, thisUpdate, nextUpdate }: OcspResponseOptions): Buffer[] {
  const until = new Date(Math.min(nextUpdate.getTime(), responder.certificate.notAfter.getTime()))
  if (thisUpdate > producedAt) throw refuse('thisUpdate: must not be later than producedAt')
  if (until <= producedAt) throw refuse('nextUpdate: must be later than producedAt')
  return [generalizedTime(thisUpdate), explicit(0, generalizedTime(until))]
}

function refuse(problem: string): PkiError {
  return new PkiError('ocsp-refused', `OCSP response was not made: ${problem}`)
}
