import type { Certificate } from '../certificate/index.ts'
import { PkiError } from '../error.ts'
import { verifySignature } from '../key/index.ts'
import { type CertId, certIdMatches, responderKeyHash, sameCertId } from './cert-id.ts'
import type { BasicOcspResponse, OcspResponse, ResponderId, SingleResponse } from './parse-response.ts'
import type { OcspRequest } from './request.ts'
import { requireResponder } from './responder.ts'

/** What {@link verifyOcspResponse} needs. The clock is the caller's. */
export interface OcspVerification {
  readonly response: OcspResponse
  /** What was asked: only that is answered, and a nonce in it must come back. */
  readonly request: OcspRequest
  /** The CA that issued the certificates; a trusted one. */
  readonly issuer: Certificate
  readonly now: Date
  /** How far clocks may be apart; 300 unless given. */
  readonly clockSkewSeconds?: number
}

/**
 * Decides whether a response may be believed (RFC 6960 section 3.2): signed by the CA or by a responder that
 * the CA itself appointed, about the certificates that were asked about, with the nonce of the request, recent.
 *
 * @returns the answers, in the order of the request. `unknown` is an answer: only `good` is good.
 * @throws PkiError (as a rejection) `ocsp-unsuccessful` for an error of the responder, `ocsp-nonce-mismatch`,
 * `ocsp-untrusted`, `ocsp-signature-invalid`, `ocsp-status-missing` or `ocsp-stale`
 */
export async function verifyOcspResponse(options: OcspVerification): Promise<SingleResponse[]> {
  const { response, request, issuer, now, clockSkewSeconds = 300 } = options
  if (response.status !== 'successful') {
    throw new PkiError('ocsp-unsuccessful', `OCSP: the responder answered ${response.status}`)
  }
  checkNonce(request, response)
  const responder = findResponder(response, issuer)
  await requireResponder(responder, issuer, now, 'ocsp-untrusted')
  const { signatureAlgorithm, tbs, signature } = response
  if (!(await verifySignature(signatureAlgorithm, responder.publicKey, tbs, signature))) {
    throw new PkiError('ocsp-signature-invalid', 'OCSP response: the signature does not verify')
  }
  return request.certIds.map((certId) => {
    if (!certIdMatches(certId, issuer)) {
      throw new PkiError('ocsp-untrusted', `OCSP: ${certId.serial} was asked about as of another CA`)
    }
    const single = findSingle(response, certId)
    checkTimes(single, now.getTime(), clockSkewSeconds * 1000)
    return single
  })
}

// A response without the nonce could be an old one that somebody kept (RFC 9654 section 2.1).
function checkNonce(request: OcspRequest, response: BasicOcspResponse): void {
  const { nonce } = request
  if (nonce === undefined || response.nonce?.equals(nonce) === true) return
  throw new PkiError('ocsp-nonce-mismatch', 'OCSP response: does not have the nonce of the request')
}

function findResponder({ responderId, certificates }: BasicOcspResponse, issuer: Certificate): Certificate {
  const responder = [issuer, ...certificates].find((candidate) => isNamed(responderId, candidate))
  if (responder !== undefined) return responder
  throw new PkiError(
    'ocsp-untrusted',
    'OCSP response: neither the CA nor a certificate in it is its responder',
  )
}

function isNamed(id: ResponderId, certificate: Certificate): boolean {
  return 'keyHash' in id
    ? id.keyHash.equals(responderKeyHash(certificate))
    : id.nameDer.equals(certificate.subjectDer)
}

/** The answer to one question. Two different answers are none. */
function findSingle({ responses }: BasicOcspResponse, certId: CertId): SingleResponse {
  const [single, ...others] = responses.filter((candidate) => sameCertId(candidate.certId, certId))
  if (single !== undefined && others.length === 0) return single
  const problem = single === undefined ? 'says nothing' : 'says two things'
  throw new PkiError('ocsp-status-missing', `OCSP response: ${problem} about ${certId.serial}`)
}

/** Negated comparisons, so that an invalid date is refused. RFC 5019 section 2.2.4 demands nextUpdate. */
function checkTimes({ thisUpdate, nextUpdate }: SingleResponse, now: number, skew: number): void {
  if (!(thisUpdate.getTime() <= now + skew)) {
    throw new PkiError('ocsp-stale', `OCSP response: is from the future, ${thisUpdate.toISOString()}`)
  }
  if (nextUpdate === undefined) throw new PkiError('ocsp-stale', 'OCSP response: has no nextUpdate')
  if (!(now - skew < nextUpdate.getTime())) {
    throw new PkiError('ocsp-stale', `OCSP response: was to be used until ${nextUpdate.toISOString()}`)
  }
}
