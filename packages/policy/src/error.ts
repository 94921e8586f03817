/** What can be wrong with a policy. */
export type PolicyErrorCode = 'policy-invalid'

/**
 * The one error class of this package. `message` is public: it names the file and, for every mistake, its line, its
 * key and the fix.
 */
export class PolicyError extends Error {
  override readonly name = 'PolicyError'
  readonly code: PolicyErrorCode

  constructor(code: PolicyErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}
