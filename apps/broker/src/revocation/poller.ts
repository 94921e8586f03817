/** Does one thing again and again: when it is asked to, and after the time that the last run asked for. */
export class Poller {
  readonly #run: () => Promise<number>
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #isWanted = false
  #isClosed = false

  /** @param run resolves to the milliseconds until the next run, and never rejects */
  constructor(run: () => Promise<number>) {
    this.#run = run
  }

  /** Whether a run was asked for after the one under way had begun. What that one brings may be too old. */
  get isWanted(): boolean {
    return this.#isWanted
  }

  /** Runs now, or once more when the run under way is done. */
  poll = (): void => {
    if (this.#isClosed) return
    this.#isWanted = true
    this.#running ??= this.#runWhileWanted()
  }

  /** Resolves when the run under way is done; there is none after it. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    await this.#running
  }

  async #runWhileWanted(): Promise<void> {
    let waitMs = 0
    while (this.#isWanted && !this.#isClosed) {
      this.#isWanted = false
      clearTimeout(this.#timer)
      waitMs = await this.#run()
    }
    this.#running = undefined
    if (!this.#isClosed) this.#timer = setTimeout(this.poll, waitMs)
  }
}
