/** How an event fits to those before it. */
export type Position =
  /** The next one. */
  | 'next'
  /** Known already, by its event or by the lists. */
  | 'repeated'
  /** Some before it are missing. */
  | 'gap'
  /** Some before it were missing already. */
  | 'in-gap'

/** Polls after which missing events are taken to have changed nothing, when no list includes them by number. */
const pollsUntilHealed = 3

/**
 * Keeps count of the event stream: ids are consecutive, so that a number left out is an event missed. What was
 * missed is made up for by the lists, never by hoping.
 */
export class EventCursor {
  #upTo: number | undefined
  #seen = 0
  #missingUpTo: number | undefined
  #polls = 0

  /** @param upTo the last event that is known from an earlier run */
  constructor(upTo?: number) {
    this.#upTo = upTo
  }

  /** All events up to this one are known: the one to resume the stream after. */
  get upTo(): number | undefined {
    return this.#upTo
  }

  /** Whether nothing is missing. */
  get isWhole(): boolean {
    return this.#missingUpTo === undefined
  }

  /** Takes the number of an event that has arrived. */
  take(id: number): Position {
    this.#upTo ??= id - 1
    if (id <= this.#upTo) return 'repeated'
    const next = Math.max(this.#upTo, this.#seen) + 1
    this.#seen = Math.max(this.#seen, id)
    if (this.#missingUpTo === undefined && id === this.#upTo + 1) {
      this.#upTo = id
      return 'next'
    }
    if (id > next) {
      const isFirst = this.#missingUpTo === undefined
      this.miss(id - 1)
      return isFirst ? 'gap' : 'in-gap'
    }
    return 'in-gap'
  }

  /**
   * The server no longer has the events after ours. What it sends from now on may be numbered anew (a registry
   * that was restored from a backup), so that no number from before says anything.
   */
  reset(): void {
    this.#upTo = undefined
    this.#seen = 0
    this.#missingUpTo = undefined
    this.miss(0)
  }

  /** Events up to this one are missing. */
  miss(upTo: number): void {
    this.#missingUpTo = Math.max(this.#missingUpTo ?? 0, upTo)
    this.#seen = Math.max(this.#seen, upTo)
    this.#polls = 0
  }

  /**
   * All lists were fetched, or found unchanged, after the gap was found, and include the events up to `upTo`.
   * They close a gap below that number. A list has no reason to be made again for events that revoke nothing,
   * so that after three polls the gap is closed all the same.
   */
  polled(upTo: number): void {
    this.#polls += 1
    const missing = this.#missingUpTo
    const isClosed = missing !== undefined && (upTo >= missing || this.#polls >= pollsUntilHealed)
    if (isClosed) this.#missingUpTo = undefined
    if (isClosed || missing === undefined) {
      const known = isClosed ? Math.max(upTo, missing, this.#seen) : upTo
      this.#upTo = Math.max(this.#upTo ?? 0, known)
    }
  }
}
