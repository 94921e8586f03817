/** Notices that nothing was acknowledged for too long: one timer, and none while nothing is in flight. */
export class AckWatch {
  readonly #timeoutMs: number
  readonly #onTimeout: () => void
  #timer: NodeJS.Timeout | undefined

  constructor(timeoutMs: number, onTimeout: () => void) {
    this.#timeoutMs = timeoutMs
    this.#onTimeout = onTimeout
  }

  /** To be called after every change; `inFlight` is what still waits. */
  progress(inFlight: number): void {
    if (inFlight === 0) {
      clearTimeout(this.#timer)
      this.#timer = undefined
    } else if (this.#timer) {
      this.#timer.refresh()
    } else {
      this.#timer = setTimeout(() => {
        this.#timer = undefined
        this.#onTimeout()
      }, this.#timeoutMs)
    }
  }
}
