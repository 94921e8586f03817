import type { ProblemCode } from './codes.ts'
import { csrProblemKinds } from './csr-codes.ts'

/**
 * What a request with a one-time token, or a claim, and a CSR can be refused with, besides what every request can be. A test
 * compares this with the source that decides.
 */
export const enrollmentCodes: readonly ProblemCode[] = [
  'body-missing',
  'body-malformed',
  'field-invalid',
  'credential-missing',
  'credential-malformed',
  'token-invalid',
  'token-expired',
  'token-used',
  'attempts-limited',
  'device-unknown',
  'device-inactive',
  'profile-unknown',
  'role-not-allowed',
  'certificate-inactive',
  'certificate-refused',
  'claim-not-for-device',
  'claim-exhausted',
  'device-enrolled',
  'device-managed',
  'device-revoked',
  'idevid-refused',
  'approval-pending',
  'approval-denied',
  'approval-unknown',
  'approvals-limited',
  'key-in-use',
  'key-of-authority',
  'linking-wrong',
  'linking-required',
  'authorization-denied',
  'authorization-unavailable',
  ...(Object.keys(csrProblemKinds) as (keyof typeof csrProblemKinds)[]),
]
