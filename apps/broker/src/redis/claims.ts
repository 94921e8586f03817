import { setTimeout as delay } from 'node:timers/promises'
import type { Identity } from '../admission/identity.ts'
import type { Store } from '../store/store.ts'
import type { Image } from './image.ts'
import type { RedisNode } from './node.ts'

/** Longest time between two attempts to take hold of a session that another node holds. */
const retryMs = 1_000

/** How this node takes hold of the sessions of its clients. */
export class Claims {
  readonly #node: RedisNode
  readonly #image: Image
  readonly #store: Store

  constructor(node: RedisNode, image: Image, store: Store) {
    this.#node = node
    this.#image = image
    this.#store = store
  }

  /** See `Peers.claim`. */
  async claim(
    key: string,
    { role, id }: Identity,
    isStored: boolean,
    isWanted: () => boolean,
  ): Promise<boolean> {
    // Of devices alone it is said whether they are connected.
    const device = role === 'device' ? id : ''
    const { held } = this.#image
    try {
      while (isWanted()) {
        held.begin(key)
        const freed = this.#image.freed(key)
        const answer = (await this.#node.run('claim', [key, device, Number(isStored)])) as Buffer[]
        if (answer[0]!.toString() === 'held') {
          await Promise.race([freed, delay(retryMs)])
          continue
        }
        // Now everything that was decided about this session elsewhere is known here.
        await this.#node.reach(answer[1]!.toString())
        if (!isWanted()) return false
        this.#take(key, isStored, answer)
        return true
      }
      return false
    } finally {
      this.#image.free(key)
    }
  }

  #take(key: string, isStored: boolean, answer: readonly (Buffer | Buffer[])[]): void {
    const { held, journal } = this.#image
    const sequence = Number(answer[2])
    const session = this.#store.sessions.get(key)
    if (session === undefined) return held.settle(this.#store, key, sequence)
    session.number = this.#store.nextSession++
    journal.names.set(session.number, key)
    if (!isStored) return held.settle(this.#store, key, sequence)
    const [sent, queue, incoming] = answer.slice(3) as [Buffer, Buffer[], Buffer[]]
    return held.take(this.#store, session, { sequence, sent: sent.toString(), queue, incoming })
  }
}
