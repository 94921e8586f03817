/**
 * `passphrase-wrong`: it does not open a key; `passphrase-unusable`: what was given is none; `file-missing`: a part of the hierarchy is gone and cannot be
 * made again; `file-damaged`, `file-exposed`: it is there, but not what it was, or readable by others;
 * `mismatch`: two files do not belong together.
 */
export type AuthorityErrorCode =
  | 'passphrase-wrong'
  | 'passphrase-unusable'
  | 'file-missing'
  | 'file-damaged'
  | 'file-exposed'
  | 'mismatch'

/** Thrown when the hierarchy on disk cannot be used. The message is one sentence with the file and the fix. */
export class AuthorityError extends Error {
  override readonly name = 'AuthorityError'
  readonly code: AuthorityErrorCode

  constructor(code: AuthorityErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
