import { Turns } from './turns.ts'

/**
 * As many are under way at the same time. Redis takes some 0.1 ms for each, and whatever else the node has to say, its sign
 * of life first of all, goes on the same connection behind them.
 */
export const maxUnderWay = 500

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
 * Messages on their way into the store, many at the same time, and those of one owner in their order. When Redis says of one that its
 * receivers were computed from what is no longer true, it says so of all that were sent after it, too, by their round: they are sent
 * once more, in the same order, when the node knows better. That Redis says so seldom, and not for ever, is for `send` to see to.
 *
 * What is too much waits, and owners take turns. How much waits is bounded elsewhere: of a client that is to be acknowledged (QoS 1
 * and 2) no more is read until all that was read at once is, 64 KiB or so for each connection; at QoS 0, where nobody waits for
 * what is retained, it is bounded by the rates of an identity alone.
 */
export class Accepting<Work> {
  readonly #options: AcceptingOptions<Work>
  #round = 1
  #underWay = 0
  #isHeld = false
  #stale: Item<Work>[] = []
  readonly #waiting = new Turns<Item<Work>>()
  #version = 0

  constructor(options: AcceptingOptions<Work>) {
    this.#options = options
  }

  /** Resolves to the answer of the script `accept`. `owner`: for whom it is, whose messages keep their order. */
  add(work: Work, owner: string): Promise<readonly unknown[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.add(owner, { work, resolve, reject, attempts: 0 })
      this.#serve()
    })
  }

  #serve(): void {
    while (!this.#isHeld && this.#underWay < maxUnderWay && this.#waiting.size > 0)
      void this.#send(this.#waiting.take()!)
  }

  async #send(item: Item<Work>): Promise<void> {
    this.#underWay += 1
    try {
      // Also what is thrown at once is heard of later: not in the middle of `#serve`.
      const sent = Promise.try(this.#options.send, item.work, this.#round, item.attempts++)
      const answer = (await sent) as [Buffer, ...unknown[]]
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
    if (!this.#isHeld) this.#serve()
    else if (this.#underWay === 0) void this.#sendAgain()
  }

  async #sendAgain(): Promise<void> {
    try {
      await this.#options.known(this.#version)
    } catch (error) {
      for (const { reject } of this.#takeStale()) reject(error)
      while (this.#waiting.size > 0) this.#waiting.take()!.reject(error)
      return
    }
    this.#round += 1
    // No more than were under way before.
    for (const item of this.#takeStale()) void this.#send(item)
    this.#serve()
  }

  #takeStale(): Item<Work>[] {
    const stale = this.#stale
    this.#stale = []
    this.#isHeld = false
    return stale
  }
}
