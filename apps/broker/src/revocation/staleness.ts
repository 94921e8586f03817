/** What to do when nothing recent is known. */
export type StalePolicy = 'fail-open' | 'fail-closed'

/** When knowledge of revocations is too old. */
export interface StalenessOptions {
  readonly policy: StalePolicy
  /** Age at which it is stale, in milliseconds. */
  readonly afterMs: number
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/**
 * How old the knowledge of revocations is. It is confirmed whenever the event stream shows a sign of life with no event
 * missing, and whenever every list was fetched or found unchanged and is not past its nextUpdate.
 */
export class Staleness {
  readonly #options: StalenessOptions
  #confirmedMs: number | undefined
  /** From this moment on nothing passes; kept, because every message asks. */
  #closedFromMs = Number.NEGATIVE_INFINITY

  constructor(options: StalenessOptions) {
    this.#options = options
  }

  get policy(): StalePolicy {
    return this.#options.policy
  }

  /** When it was confirmed last, in milliseconds since 1970; undefined: never, and that is closed under both policies. */
  get confirmedMs(): number | undefined {
    return this.#confirmedMs
  }

  /** All that was known at `atMs` was complete. A moment in the future, from a copy on disk, counts as now. */
  confirm(atMs: number): void {
    const moment = Math.min(atMs, this.#options.now())
    this.#confirmedMs = Math.max(moment, this.#confirmedMs ?? moment)
    if (this.#options.policy === 'fail-open') this.#closedFromMs = Number.POSITIVE_INFINITY
    else this.#closedFromMs = this.#confirmedMs + this.#options.afterMs
  }

  /** Undefined as long as nothing was ever confirmed. */
  ageMs(): number | undefined {
    return this.#confirmedMs === undefined ? undefined : Math.max(0, this.#options.now() - this.#confirmedMs)
  }

  isStale(): boolean {
    return !((this.ageMs() ?? Number.POSITIVE_INFINITY) < this.#options.afterMs)
  }

  /** Whether nothing may pass. */
  isClosed(): boolean {
    return !(this.#options.now() < this.#closedFromMs)
  }
}
