/** What to do when nothing recent is known. */
export type StalePolicy = 'fail-open' | 'fail-closed'

/** When knowledge of revocations is too old. */
export interface StalenessOptions {
  readonly policy: StalePolicy
  /** Age at which it is stale, in milliseconds. */
  readonly afterMs: number
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Milliseconds by a clock that nobody can set. Default: since the process began. */
  readonly elapsed?: () => number
}

/** By how much a moment that was written down may lie ahead: a clock that was put right since, by a little. */
const skewMs = 300_000

/**
 * How old the knowledge of revocations is. It is confirmed whenever the event stream shows a sign of life with no event
 * missing, and whenever every list was fetched or found unchanged and is not past its nextUpdate.
 *
 * It ages by two clocks, and the one by which it is older counts. The wall clock can be set back, by whoever answers
 * for NTP, say, and everything would look recent; the other one stands still while the machine sleeps.
 */
export class Staleness {
  readonly #options: StalenessOptions
  readonly #elapsed: () => number
  #confirmed: { readonly atMs: number; readonly elapsedMs: number } | undefined

  constructor(options: StalenessOptions) {
    this.#options = options
    this.#elapsed = options.elapsed ?? (() => performance.now())
  }

  get policy(): StalePolicy {
    return this.#options.policy
  }

  /** When it was confirmed last, in milliseconds since 1970; undefined: never, and that is closed under both policies. */
  get confirmedMs(): number | undefined {
    return this.#confirmed?.atMs
  }

  /**
   * All that was known at `atMs` was complete. A moment up to five minutes in the future, from a copy on disk, counts as now;
   * one that is further away says that a clock was wrong, and so nothing about how long ago it is: it counts as long ago.
   */
  confirm(atMs: number): void {
    const now = this.#options.now()
    const moment = atMs > now + skewMs ? 0 : Math.min(atMs, now)
    const elapsedMs = this.#elapsed() - (now - moment)
    if (this.#confirmed === undefined || elapsedMs >= this.#confirmed.elapsedMs) {
      this.#confirmed = { atMs: moment, elapsedMs }
    }
  }

  /** Undefined as long as nothing was ever confirmed. */
  ageMs(): number | undefined {
    const confirmed = this.#confirmed
    if (confirmed === undefined) return undefined
    return Math.max(0, this.#options.now() - confirmed.atMs, this.#elapsed() - confirmed.elapsedMs)
  }

  isStale(): boolean {
    return !((this.ageMs() ?? Number.POSITIVE_INFINITY) < this.#options.afterMs)
  }

  /** Whether nothing may pass. */
  isClosed(): boolean {
    if (this.#options.policy === 'fail-open') return this.#confirmed === undefined
    return this.isStale()
  }
}
