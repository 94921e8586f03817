import type { ProblemKind } from './kind.ts'

/** What is wrong with what a request proves itself with. */
export const credentialProblemKinds = {
  'credential-missing': {
    status: 401,
    title: 'The request carries no credential.',
    fix: 'Send the one-time token: HTTP Basic `id:token` in EST, `Authorization: Bearer token` in REST.',
  },
  'credential-malformed': {
    status: 401,
    title: 'The Authorization header cannot be read.',
    fix: 'Send `Basic` with the base64 of `id:token`, or `Bearer` and the token as it was given out.',
  },
  'token-invalid': {
    status: 401,
    title: 'The token is not known, or is not for this device id.',
    fix: 'Check the id and the token; ask the operator for a new token.',
  },
  'token-expired': {
    status: 401,
    title: 'The token was not used in time, or its device was revoked since.',
    fix: 'Ask the operator for a new token.',
  },
  'token-used': {
    status: 401,
    title: 'The token was already exchanged for a certificate, for another key or too long ago.',
    fix: 'If a response was lost, retry with the same key within 10 minutes; otherwise ask for a new token.',
  },
  'certificate-required': {
    status: 403,
    title: 'This request needs a client certificate.',
    fix: 'Connect with the certificate and its key (mutual TLS).',
  },
  'certificate-refused': {
    status: 403,
    title: 'The client certificate proves no identity here.',
    fix: 'Use a certificate of this hierarchy that is valid now; `detail` says what is wrong with this one.',
  },
  'certificate-inactive': {
    status: 403,
    title: 'The client certificate is not known here as valid: unknown, revoked or superseded.',
    fix: 'Use the newest certificate of the device, or enroll again with a token.',
  },
  'role-not-allowed': {
    status: 403,
    title: 'The identity is proven, but its role may not do this.',
    fix: 'Use an identity with the role that `detail` names.',
  },
} as const satisfies Record<string, ProblemKind>
