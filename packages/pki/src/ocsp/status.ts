import {
  contextConstructed,
  contextPrimitive,
  type DerReader,
  enumerated,
  explicit,
  generalizedTime,
  implicit,
  tlv,
} from '../der/index.ts'
import { PkiError } from '../error.ts'
import { reasonCode, reasonName, type RevocationReason } from '../crl/reason.ts'

/** `certificateHold` included; `removeFromCRL` is a word of delta CRLs and no status. */
export interface RevokedStatus {
  readonly status: 'revoked'
  readonly revokedAt: Date
  /** Absent means the same as `unspecified`, which is left out. */
  readonly reason?: RevocationReason | undefined
}

/** What a response says about one certificate. */
export type OcspStatus = { readonly status: 'good' } | RevokedStatus | { readonly status: 'unknown' }

/**
 * Encodes a status:
 *
 *     CertStatus ::= CHOICE {                                             -- RFC 6960, 4.2.1
 *         good    [0] IMPLICIT NULL,
 *         revoked [1] IMPLICIT SEQUENCE {
 *             revocationTime       GeneralizedTime,
 *             revocationReason [0] EXPLICIT CRLReason OPTIONAL },
 *         unknown [2] IMPLICIT NULL }
 *
 * @throws PkiError `ocsp-refused` for anything else, `time-invalid`
 */
export function encodeStatus(status: OcspStatus): Buffer {
  switch (status.status) {
    case 'good':
      return implicit(0, Buffer.alloc(0))
    case 'revoked':
      return tlv(contextConstructed(1), generalizedTime(status.revokedAt), ...encodeReason(status.reason))
    case 'unknown':
      return implicit(2, Buffer.alloc(0))
    default:
      // Reached by callers without types only; what is not understood must not become a status.
      throw new PkiError('ocsp-refused', 'status: must be good, revoked or unknown')
  }
}

function encodeReason(reason: RevocationReason = 'unspecified'): Buffer[] {
  const code = reasonCode(reason)
  if (code === undefined || reason === 'removeFromCRL') {
    throw new PkiError('ocsp-refused', `status: ${JSON.stringify(reason)} is not a reason for revocation`)
  }
  return reason === 'unspecified' ? [] : [explicit(0, enumerated(code))]
}

/** Reads a status. Throws PkiError `ocsp-response-malformed` or `der-invalid`. */
export function readStatus(reader: DerReader): OcspStatus {
  const tag = reader.peek()
  if (tag === contextConstructed(1)) return readRevoked(reader.constructed(tag, 'certStatus'))
  if (tag !== contextPrimitive(0) && tag !== contextPrimitive(2)) {
    throw malformed('must be good, revoked or unknown')
  }
  if (reader.primitive(tag, 'certStatus').length > 0) throw malformed('good and unknown have no content')
  return { status: tag === contextPrimitive(0) ? 'good' : 'unknown' }
}

function readRevoked(info: DerReader): RevokedStatus {
  const revokedAt = info.generalizedTime('revocationTime')
  const wrapper = info.optionalExplicit(0, 'revocationReason')
  const code = wrapper?.enumerated('revocationReason')
  wrapper?.end('revocationReason')
  info.end('certStatus')
  const reason = code === undefined ? undefined : reasonName(code)
  if (code !== undefined && (reason === undefined || reason === 'removeFromCRL')) {
    throw malformed(`${code} is not a reason for revocation`)
  }
  return { status: 'revoked', revokedAt, reason }
}

function malformed(problem: string): PkiError {
  return new PkiError('ocsp-response-malformed', `OCSP certStatus: ${problem}`)
}
