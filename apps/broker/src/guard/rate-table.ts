import { BoundedTable } from './bounded-table.ts'
import { charge, overdraftMs, type Rate } from './rate.ts'

/** Token buckets by name, for at most `maxKeys` names: an address or an identity each. */
export class RateTable {
  readonly #rate: Rate
  readonly #fullAt: BoundedTable<number>
  /** From an empty bucket to a full one, which is as good as none. */
  readonly #refillMs: number
  #forgotAt = 0

  constructor(rate: Rate, maxKeys: number) {
    this.#rate = rate
    this.#fullAt = new BoundedTable(maxKeys)
    this.#refillMs = (rate.burst * 1_000) / rate.perSecond
  }

  /** How many names are known, at most. */
  get size(): number {
    return this.#fullAt.size
  }

  /** Takes one from the bucket of `key`, unless it is empty; `now` in milliseconds of a clock that never goes back. */
  take(key: string, now: number): boolean {
    if (now - this.#forgotAt > this.#refillMs) {
      this.#forgotAt = now
      this.#fullAt.forget()
    }
    const fullAt = charge(this.#fullAt.get(key) ?? 0, now, this.#rate, 1)
    if (overdraftMs(fullAt, now, this.#rate) > 0) return false
    this.#fullAt.set(key, fullAt)
    return true
  }
}
