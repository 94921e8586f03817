/** What can keep the broker from starting, from taking a new configuration, or from learning what is revoked. */
export type BrokerErrorCode =
  | 'policy-unreadable'
  | 'enrollment-unreachable'
  | 'enrollment-answer-invalid'
  | 'token-refused'
  | 'revocation-unreachable'
  | 'revocation-refused'
  | 'revocation-list-invalid'
  | 'activation-unreachable'
  | 'activation-refused'
  | 'identity-unusable'
  | 'store-locked'
  | 'store-corrupt'
  | 'store-failed'
  | 'worker-failed'

/**
 * The one error class of the broker. `message` is public: it names the field, file or server and what to
 * do about it. The technical reason, when there is one, is in `cause`.
 */
export class BrokerError extends Error {
  override readonly name = 'BrokerError'
  readonly code: BrokerErrorCode

  constructor(code: BrokerErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}
