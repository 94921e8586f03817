import type { ProblemKind } from './kind.ts'

/** Why a key, or the connection that it came over, gets no certificate, and what the authorization service says. */
export const issuanceProblemKinds = {
  'key-in-use': {
    status: 409,
    title: 'The public key is certified for another device.',
    fix: 'Make a key on each device; never ship one inside a firmware image.',
  },
  'key-of-authority': {
    status: 403,
    title: 'The public key is the key of a certificate authority.',
    fix: 'Make a key on the device.',
  },
  'key-encryption-unsupported': {
    status: 400,
    title: 'The CSR asks for the key that the server makes to be encrypted beneath TLS.',
    fix: 'Leave the attribute out that `detail` names, or make the key on the device, which is better.',
  },
  'linking-wrong': {
    status: 403,
    title: 'The challengePassword, or estIdentityLinking, of the CSR is not that of this TLS connection.',
    fix: 'Make the CSR for the connection that it is sent over, with the channel binding that `detail` names, or leave the attribute out.',
  },
  'linking-required': {
    status: 403,
    title: 'The profile needs a CSR that is linked to its TLS connection.',
    fix: 'Put the channel binding that `detail` names into the challengePassword, in base64 (RFC 7030, section 3.5).',
  },
  'authorization-denied': {
    status: 403,
    title: 'The authorization service of this fleet said no.',
    fix: 'Read its reason in `detail`; the token is still good once the service allows the device.',
  },
  'authorization-unavailable': {
    status: 503,
    title: 'The authorization service of this fleet gave no answer that counts.',
    fix: 'Retry as `Retry-After` says, with the same key and token; nothing was used up.',
  },
} as const satisfies Record<string, ProblemKind>
