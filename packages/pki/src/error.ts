/**
 * Every way in which this package says no. The codes are stable: programs `switch` on them, documents list
 * them. The sentence beside a code may change.
 */
export type PkiErrorCode =
  // bytes that are not what they claim to be
  | 'der-invalid'
  | 'der-too-deep'
  | 'der-too-large'
  | 'pem-invalid'
  // values that do not fit their grammar
  | 'device-id-invalid'
  | 'name-invalid'
  | 'serial-invalid'
  | 'subject-alt-name-invalid'
  | 'extension-invalid'
  | 'time-invalid'
  | 'trust-domain-invalid'
  | 'profile-invalid'
  // keys
  | 'key-invalid'
  | 'key-mismatch'
  | 'key-passphrase-missing'
  | 'key-passphrase-wrong'
  | 'key-unsupported'
  | 'signature-algorithm-unsupported'
  // certificate signing requests
  | 'csr-key-unsupported'
  | 'csr-malformed'
  | 'csr-signature-algorithm-unsupported'
  | 'csr-signature-invalid'
  | 'csr-too-large'
  // certificates, and the files that carry them
  | 'certificate-malformed'
  | 'issuance-refused'
  | 'lint-failed'
  | 'pkcs7-invalid'
  | 'pkcs12-invalid'
  | 'pkcs12-password-invalid'
  | 'pkcs12-password-wrong'
  | 'pkcs12-unsupported'
  // revocation lists
  | 'crl-issuer-mismatch'
  | 'crl-malformed'
  | 'crl-refused'
  | 'crl-signature-invalid'
  | 'crl-too-large'
  | 'crl-unsupported'
  // online status
  | 'ocsp-nonce-mismatch'
  | 'ocsp-refused'
  | 'ocsp-request-malformed'
  | 'ocsp-request-too-large'
  | 'ocsp-response-malformed'
  | 'ocsp-response-too-large'
  | 'ocsp-signature-invalid'
  | 'ocsp-stale'
  | 'ocsp-status-missing'
  | 'ocsp-unsuccessful'
  | 'ocsp-untrusted'

/**
 * The only error that this package throws on purpose. `message` is public: it names the field and, where
 * there is one, the fix; it never holds key material. `cause` is private: for a log, not for a peer.
 */
export class PkiError extends Error {
  override readonly name = 'PkiError'
  readonly code: PkiErrorCode

  constructor(code: PkiErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}

/**
 * The same error under a code that says which structure it is about, with that structure's name in front.
 * Errors that have such a code already, and what is not a PkiError (a bug), are given back as they are.
 */
export function recode(
  error: unknown,
  what: string,
  codes: { prefix: string; malformed: PkiErrorCode; tooLarge: PkiErrorCode; unsupported: PkiErrorCode },
): unknown {
  if (!(error instanceof PkiError) || error.code.startsWith(codes.prefix)) return error
  const unsupported = error.code === 'signature-algorithm-unsupported' || error.code === 'key-unsupported'
  const code =
    error.code === 'der-too-large' ? codes.tooLarge : unsupported ? codes.unsupported : codes.malformed
  const message = error.message.startsWith(what) ? error.message : `${what}: ${error.message}`
  return new PkiError(code, message, { cause: error })
}
