import type { ProblemKind } from './kind.ts'

/** Why a claim, a certificate from the factory or an approval gives no first certificate. */
export const bootstrapProblemKinds = {
  'claim-exists': {
    status: 409,
    title: 'The id of the claim is in the inventory.',
    fix: 'Choose another id for the claim.',
  },
  'claim-unknown': {
    status: 404,
    title: 'No claim has this id.',
    fix: 'Look it up in `GET /v1/claims`.',
  },
  'claim-not-for-device': {
    status: 403,
    title: 'The claim is not for this device.',
    fix: 'Register the device with the batch of the claim, or use the claim of its batch.',
  },
  'claim-exhausted': {
    status: 403,
    title: 'The claim has enrolled as many devices as it may.',
    fix: 'Ask the operator for another claim for this batch.',
  },
  'device-enrolled': {
    status: 409,
    title: 'The device has been enrolled; a claim enrolls each device once.',
    fix: 'Renew its certificate; if that is lost, ask for a token. A retry with the same key is answered for 10 minutes.',
  },
  'idevid-refused': {
    status: 403,
    title: 'The certificate is not one of a manufacturer that is configured here, or not fit for this.',
    fix: 'Show the IDevID with the CA certificates that came with it; `detail` says what is wrong with this one.',
  },
  'device-revoked': {
    status: 403,
    title: 'The certificate of the device was revoked; one from the factory does not bring it back.',
    fix: 'Ask the operator for a token.',
  },
  'approval-pending': {
    status: 202,
    title: 'An operator has not decided yet.',
    fix: 'Ask again with the same key, as `Retry-After` says.',
  },
  'approval-denied': {
    status: 403,
    title: 'An operator has denied it.',
    fix: 'Do not ask again before the time in `detail`; ask the operator why.',
  },
  'approval-unknown': {
    status: 404,
    title: 'No request with this key waits, or was decided.',
    fix: 'Look it up in `GET /v1/approvals`; the id is the SHA-256 of the public key, in hexadecimal.',
  },
  'approval-settled': {
    status: 409,
    title: 'It was approved, and the device is in the inventory.',
    fix: 'Suspend, revoke or retire the device instead.',
  },
  'approvals-limited': {
    status: 429,
    title: 'Too many devices wait for an operator.',
    fix: 'Wait as long as `Retry-After` says, or enroll with a token.',
  },
} as const satisfies Record<string, ProblemKind>
