/** What OpenSSL's chain check (and Node's host name check) found wrong with the peer's certificate. */
export type CertificateFailureCode =
  | 'certificate-expired'
  | 'certificate-not-yet-valid'
  | 'certificate-revoked'
  | 'certificate-rejected'
  | 'chain-too-deep'
  | 'fake-authority'
  | 'unknown-authority'
  | 'wrong-host-name'
  | 'wrong-purpose'
  | 'wrong-server'

/** A reason in words: what is wrong, following "The server's certificate …", and what to do about it. */
export interface CertificateFailure {
  readonly code: CertificateFailureCode
  readonly problem: string
  readonly fix: string
}

const expired = {
  code: 'certificate-expired',
  problem: 'or that of a CA above it has expired',
  fix: 'renew it, and check the clocks of both machines',
} as const
const notYetValid = {
  code: 'certificate-not-yet-valid',
  problem: 'or that of a CA above it is not valid yet',
  fix: 'check the clocks of both machines',
} as const
const unknownAuthority = {
  code: 'unknown-authority',
  problem:
    'does not lead to a CA that is trusted here (one of the same name with another key does not count)',
  fix: 'trust the root CA that it was issued under, and send the issuing CA after the certificate',
} as const
const fakeAuthority = {
  code: 'fake-authority',
  problem: "was not signed by the CA that it names, the signature does not fit that CA's key",
  fix: 'get a certificate from the real CA, and find out who made this one',
} as const
const tooDeep = {
  code: 'chain-too-deep',
  problem: 'has more CAs above it than they allow (pathLenConstraint), or a CA that may not be one',
  fix: 'issue it directly under the issuing CA',
} as const
const rejected = {
  code: 'certificate-rejected',
  problem: 'was rejected for a reason that Node does not name',
  fix: 'check the file with: openssl verify -x509_strict -CAfile ROOT -untrusted FILE FILE',
} as const

const byName: Readonly<Record<string, CertificateFailure>> = {
  CERT_HAS_EXPIRED: expired,
  CERT_NOT_YET_VALID: notYetValid,
  CERT_REVOKED: {
    code: 'certificate-revoked',
    problem: 'is revoked',
    fix: 'enroll again with a new key',
  },
  DEPTH_ZERO_SELF_SIGNED_CERT: unknownAuthority,
  SELF_SIGNED_CERT_IN_CHAIN: unknownAuthority,
  UNABLE_TO_GET_ISSUER_CERT: unknownAuthority,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: unknownAuthority,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: unknownAuthority,
  CERT_UNTRUSTED: unknownAuthority,
  CERT_SIGNATURE_FAILURE: fakeAuthority,
  PATH_LENGTH_EXCEEDED: tooDeep,
  CERT_CHAIN_TOO_LONG: tooDeep,
  INVALID_CA: tooDeep,
  INVALID_PURPOSE: {
    code: 'wrong-purpose',
    problem: 'is not for this side of a connection (extended key usage)',
    fix: 'use one issued with clientAuth for a client, with serverAuth for a server',
  },
  UNSPECIFIED: rejected,
  ERR_TLS_SERVER_IDENTITY: {
    code: 'wrong-server',
    problem: 'has the right name and is not that of the service that was expected',
    fix: 'check the address, and which other service was given a certificate with this name',
  },
  ERR_TLS_CERT_ALTNAME_INVALID: {
    code: 'wrong-host-name',
    problem: 'is for other names',
    fix: 'connect by a name in its subject alternative names, or issue one with this name',
  },
}

/**
 * By the names that Node gives X509_V_ERR_* in `authorizationError` and `error.code`. It has names for the
 * older ones; all others (weak keys, name constraints) arrive as UNSPECIFIED.
 */
export const certificateFailures: ReadonlyMap<string, CertificateFailure> = new Map(Object.entries(byName))

/** The failure behind one of Node's names; one that has no entry is still a refusal. */
export function certificateFailure(name: string): CertificateFailure {
  return certificateFailures.get(name) ?? rejected
}
