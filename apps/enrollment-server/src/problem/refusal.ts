import type { CsrField } from '@fleetroot/pki'
import type { ProblemCode } from './codes.ts'

/** What became of each field of a CSR, as answers and the audit show it. */
export interface CsrReport {
  readonly fields: readonly CsrField[]
}

/**
 * A refusal as a value. `detail` is public: it names the field and the fix, and never holds a secret.
 */
export interface Refusal {
  readonly code: ProblemCode
  readonly detail: string
  /** Seconds after which the same request may succeed. */
  readonly retryAfterSeconds?: number
  /** Where a CSR was looked at. */
  readonly csr?: CsrReport
}

/** A {@link Refusal} on its way out of a request handler; the error handler of the protocol renders it. */
export class RequestRefused extends Error {
  override readonly name = 'RequestRefused'
  readonly refusal: Refusal

  constructor(refusal: Refusal, options?: ErrorOptions) {
    super(refusal.detail, options)
    this.refusal = refusal
  }
}
