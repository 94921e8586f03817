/** A message on its way into the store. */
interface Item<Work> {
  readonly work: Work
  readonly resolve: (answer: readonly unknown[]) => void
  readonly reject: (why: unknown) => void
  /** How often it was sent. */
  attempts: number
}

/** How messages are sent on their way. */
export interface AcceptingOptions<Work> {
  /** Sends one; the receivers are those who are known now. `attempt`: how often it was sent before, and refused. */
  readonly send: (work: Work, round: number, attempt: number) => Promise<unknown>
  /** Resolves when everything up to this version is known. */
  readonly known: (version: number) => Promise<void>
}

/**
 * Messages on their way into the store, many at the same time and in their order. When Redis says of one that its receivers were
 * computed from what is no longer true, it says so of all that were sent after it, too, by their round: they are sent once
 * more, in the same order, when the node knows better. That Redis says so seldom, and not for ever, is for `send` to see to.
 */
export class Accepting<Work> {
  readonly #options: AcceptingOptions<Work>
  #round = 1
  #underWay = 0
  #isHeld = false
  #stale: Item<Work>[] = []
  #waiting: Item<Work>[] = []
  #version = 0

  constructor(options: AcceptingOptions<Work>) {
    this.#options = options
  }

  /** Resolves to the answer of the script `accept`. */
  add(work: Work): Promise<readonly unknown[]> {
    return new Promise((resolve, reject) => {
      const item = { work, resolve, reject, attempts: 0 }
      if (this.#isHeld) this.#waiting.push(item)
      else void this.#send(item)
    })
  }

  async #send(item: Item<Work>): Promise<void> {
    this.#underWay += 1
    try {
      const answer = (await this.#options.send(item.work, this.#round, item.attempts++)) as [
        Buffer,
        ...unknown[],
      ]
      if (answer[0].toString() === 'stale') {
        this.#isHeld = true
        this.#stale.push(item)
        this.#version = Number(answer[1])
      } else item.resolve(answer)
    } catch (error) {
      item.reject(error)
    }
    this.#underWay -= 1
    // All answers are there: what has come too early goes again, then what has waited.
    if (this.#isHeld && this.#underWay === 0) void this.#sendAgain()
  }

  async #sendAgain(): Promise<void> {
    try {
      await this.#options.known(this.#version)
    } catch (error) {
      for (const { reject } of this.#take()) reject(error)
      return
    }
    this.#round += 1
    for (const item of this.#take()) void this.#send(item)
  }

  #take(): Item<Work>[] {
    const all = [...this.#stale, ...this.#waiting]
    this.#stale = []
    this.#waiting = []
    this.#isHeld = false
    return all
  }
}
