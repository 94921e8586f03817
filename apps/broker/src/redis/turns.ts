interface Link<Item> {
  readonly item: Item
  next: Link<Item> | undefined
}

/**
 * What waits for its turn. Each owner has a queue of its own, and they are served one after the other, so that nobody waits behind
 * all that somebody else has. Linked: of a long array the first one is not taken away for nothing.
 */
export class Turns<Item> {
  readonly #queues = new Map<string, { first: Link<Item>; last: Link<Item> }>()
  #size = 0
  /** Where the round is; it comes by those, too, who are added meanwhile. */
  #round = this.#queues.entries()

  get size(): number {
    return this.#size
  }

  add(owner: string, item: Item): void {
    const link = { item, next: undefined }
    const queue = this.#queues.get(owner)
    if (queue === undefined) this.#queues.set(owner, { first: link, last: link })
    else queue.last = queue.last.next = link
    this.#size += 1
  }

  /** Takes the first one of the owner whose turn it is; undefined: nothing waits. */
  take(): Item | undefined {
    let turn = this.#round.next()
    if (turn.done === true) turn = (this.#round = this.#queues.entries()).next()
    if (turn.done === true) return undefined
    const [owner, queue] = turn.value
    const { item, next } = queue.first
    if (next === undefined) this.#queues.delete(owner)
    else queue.first = next
    this.#size -= 1
    return item
  }
}
