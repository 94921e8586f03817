/** A process that lives this long has not failed at once. */
const soundMs = 30_000
/** So often in a row a process may fail at once: with the waits in between about 8 s. */
const maxFailures = 5
const firstWaitMs = 250
const longestWaitMs = 10_000

/** When a process that ended is started again. What ends at once, again and again, will not be better the next time. */
export class Restarts {
  #failures = 0

  /** How often in a row it has failed at once. */
  get failures(): number {
    return this.#failures
  }

  /** The process has ended after `livedMs` milliseconds: how long to wait until the next start. Undefined: no more. */
  ended(livedMs: number): number | undefined {
    if (livedMs >= soundMs) this.#failures = 0
    this.#failures += 1
    if (this.#failures > maxFailures) return undefined
    return Math.min(longestWaitMs, firstWaitMs * 2 ** (this.#failures - 1))
  }
}
