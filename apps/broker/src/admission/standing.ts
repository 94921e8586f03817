/**
 * What is known of a certificate's revocation. `unknown`: too little, or for too long nothing new, so that by
 * the policy for stale data nobody passes. `untrusted`: the CA that issued it is not, or no longer, trusted.
 */
export type Standing = 'good' | 'revoked' | 'suspended' | 'unknown' | 'untrusted'

/** Why a certificate that is valid in itself does not pass. */
export type StandingRefusalCode =
  | 'certificate-revoked'
  | 'certificate-suspended'
  | 'revocation-stale'
  | 'issuer-retired'

/** A refusal with a sentence for the log. */
export interface StandingRefusal {
  readonly code: StandingRefusalCode
  readonly detail: string
}

const refusals: Readonly<Record<Exclude<Standing, 'good'>, StandingRefusal>> = {
  revoked: {
    code: 'certificate-revoked',
    detail: 'the certificate is revoked; the device needs a new identity',
  },
  suspended: {
    code: 'certificate-suspended',
    detail: 'the certificate is on hold; resume the device to let it in again',
  },
  unknown: {
    code: 'revocation-stale',
    detail: 'nothing recent is known about revoked certificates, and --revocation-stale is fail-closed',
  },
  untrusted: {
    code: 'issuer-retired',
    detail: 'the CA that issued the certificate is no longer trusted; renew it, or enroll anew',
  },
}

/** Step 4 of admission, and the question of every gate after it. Pure; undefined: the certificate passes. */
export function refuseStanding(standing: Standing): StandingRefusal | undefined {
  return standing === 'good' ? undefined : refusals[standing]
}
