/** So many a second, and so many at once after a quiet time, of what strangers can make us write. */
export class Allowance {
  readonly #perSecond: number
  readonly #atOnce: number
  readonly #clockMs: () => number
  #left: number
  #countedAt: number
  #leftOut = 0

  /** @param clockMs milliseconds that only grow */
  constructor(perSecond: number, atOnce: number, clockMs: () => number = () => performance.now()) {
    this.#perSecond = perSecond
    this.#atOnce = atOnce
    this.#clockMs = clockMs
    this.#left = atOnce
    this.#countedAt = clockMs()
  }

  /** Takes one. Returns how many were left out since the one before; undefined: this one is to be left out as well. */
  take(): number | undefined {
    const at = this.#clockMs()
    this.#left = Math.min(this.#atOnce, this.#left + ((at - this.#countedAt) / 1000) * this.#perSecond)
    this.#countedAt = at
    if (this.#left < 1) {
      this.#leftOut += 1
      return undefined
    }
    this.#left -= 1
    const leftOut = this.#leftOut
    this.#leftOut = 0
    return leftOut
  }
}
