/**
 * `registry-open`: the file cannot be opened or is damaged; `registry-newer`: it was written by a newer
 * version; `registry-failed`: an operation failed and changed nothing; `registry-closed`: it was asked
 * after it was closed, or its thread died.
 */
export type RegistryErrorCode = 'registry-open' | 'registry-newer' | 'registry-failed' | 'registry-closed'

/** Thrown when the store cannot do what it was asked. What is refused by its rules is an answer, not an error. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError'
  readonly code: RegistryErrorCode

  constructor(code: RegistryErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
