/** Polls after which a list that includes the event is waited for no longer: the next one in its turn will do. */
const patience = 60

/**
 * A release that an event has announced, and that counts when a list says so: events are proven by the TLS connection
 * that they come on, lists by the signature of the CA. So whoever gets at the stream can shut devices out, and let none in.
 */
export class AwaitedRelease {
  #eventId: number | undefined
  #polls = 0

  /** Whether lists should be looked at again soon. */
  get isAwaited(): boolean {
    return this.#eventId !== undefined
  }

  announced(eventId: number): void {
    this.#eventId = Math.max(this.#eventId ?? 0, eventId)
    this.#polls = 0
  }

  /** The lists were looked at; they include the events up to `upTo`. */
  polled(upTo: number | undefined): void {
    this.#polls += 1
    if (this.#eventId === undefined) return
    if (this.#polls >= patience || (upTo ?? 0) >= this.#eventId) this.#eventId = undefined
  }
}
