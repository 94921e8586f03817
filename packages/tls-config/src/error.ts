/**
 * What can be wrong with the files and options that TLS is set up from. The codes are stable: programs
 * `switch` on them. The sentence beside a code may change.
 */
export type TlsConfigErrorCode =
  | 'file-missing'
  | 'file-unreadable'
  | 'key-file-permissions'
  | 'key-missing'
  | 'key-malformed'
  | 'key-mismatch'
  | 'passphrase-missing'
  | 'passphrase-wrong'
  | 'certificate-missing'
  | 'certificate-malformed'
  | 'certificate-expired'
  | 'certificate-not-yet-valid'
  | 'chain-order'
  | 'trust-missing'
  | 'trust-not-a-ca'

/**
 * A TLS setup that cannot work. `message` is public: it names the file or the option, and the fix; it never
 * holds key material. `cause` is private.
 */
export class TlsConfigError extends Error {
  override readonly name = 'TlsConfigError'
  readonly code: TlsConfigErrorCode

  constructor(code: TlsConfigErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}
