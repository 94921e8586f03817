import type { BrokerError } from '../error.ts'
import type { StoreCounts } from '../store/counts.ts'
import type { Journal } from '../store/journal.ts'
import { kind } from '../store/keys.ts'

/** Four words of a change, as the script `write` takes them: kind, name, and two values. */
type Change = readonly [string, string, string | Buffer | number, string | Buffer | number]

/** What a Redis journal is made of. */
export interface RedisJournalOptions {
  readonly counts: StoreCounts
  /** Runs the script `write`. */
  readonly write: (words: (string | Buffer | number)[]) => Promise<unknown>
  /** Why nothing can be kept now; undefined: it can. */
  readonly failure: () => BrokerError | undefined
  /** Hears why Redis did not write. */
  readonly onFailure: (cause: unknown) => void
  /** Hears the answer of `write`: the version before and after. */
  readonly onWritten: (before: number, after: number) => void
}

/** Changes in one call of the script, some milliseconds in which Redis does nothing else: thousands of clients may go in one turn. */
const atOnce = 1_000

/** How a debt of a dead node is called (`common.lua`): no session is called like that. */
const debt = /^(will|presence) /

/**
 * What this node changes in its own sessions, on its way to Redis in the order in which it was changed; the changes of one turn
 * go in one piece, or in several where they are very many: each change is as good alone, and `flushed` waits for all. All of it may be written twice, so that what was under way when the connection was lost is
 * written again. What others may change as well, queues getting longer and retained messages, is not written here but by the script `accept`.
 */
export class RedisJournal implements Journal {
  /** What is in a queue here is in Redis already. */
  readonly group = 0
  readonly safeGroup = 0
  /** Sessions by the number that they have in keys, on this node alone. */
  readonly names = new Map<number, string>()
  readonly #options: RedisJournalOptions
  #gathering: Change[] = []
  #isScheduled = false
  /** Groups that Redis has not confirmed, in their order, and those after them whether it has or not: they are to have the last word. */
  #underWay = new Set<readonly Change[]>()
  #confirmed = new WeakSet<readonly Change[]>()
  #last: Promise<unknown> | undefined

  constructor(options: RedisJournalOptions) {
    this.#options = options
  }

  get isFailing(): boolean {
    return this.#options.failure() !== undefined
  }

  put(key: Buffer, value: Buffer): void {
    if (key[0] === kind.will) this.add('will', key.toString('utf8', 1), value)
    // A PUBREL: what is new in a queue has been put there by `accept`, as have packet identifiers and retained messages.
    else if (key[0] === kind.queued) this.#addTo(key.readUInt32BE(1), 'release', key.readUIntBE(5, 6), value)
  }

  del(key: Buffer): void {
    if (key[0] === kind.will) {
      const name = key.toString('utf8', 1)
      this.add(debt.test(name) ? 'settle' : 'unwill', name)
    } else if (key[0] === kind.queued) this.#addTo(key.readUInt32BE(1), 'remove', key.readUIntBE(5, 6))
    else if (key[0] === kind.incoming) this.#addTo(key.readUInt32BE(1), 'complete', key.readUInt16BE(5))
    else if (key[0] === kind.session) this.#addTo(key.readUInt32BE(1), 'end')
  }

  /** Adds a change of the script `write`. */
  add(what: string, name: string, first: string | Buffer | number = '', second: string | number = ''): void {
    this.#gathering.push([what, name, first, second])
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => this.send())
  }

  flushed(): Promise<void> | undefined {
    this.send()
    const failure = this.#options.failure()
    if (failure !== undefined) return Promise.reject(failure)
    return this.#last?.then(() => undefined)
  }

  /** Makes `flushed` wait for something else as well that is on its way to Redis. */
  track(work: Promise<unknown>): void {
    const last = this.#last === undefined ? work : Promise.all([this.#last, work])
    this.#last = last
    const clear = (): void => {
      if (this.#last === last) this.#last = undefined
    }
    last.then(clear, clear)
  }

  /** Sends what has gathered. */
  send(): void {
    this.#isScheduled = false
    if (this.#gathering.length === 0) return
    const changes = this.#gathering
    this.#gathering = []
    for (let from = 0; from < changes.length; from += atOnce) {
      const group = changes.slice(from, from + atOnce)
      this.#underWay.add(group)
      if (!this.isFailing) this.track(this.#write(group))
    }
  }

  /** Writes again what nobody knows to be written; resolves when it is. */
  async resume(): Promise<void> {
    for (const changes of this.#underWay) this.#confirmed.delete(changes)
    for (const changes of this.#underWay) await this.#attempt(changes)
  }

  /** Whatever has not been written is of no concern any more. */
  forget(): void {
    this.#gathering = []
    this.#underWay = new Set()
    this.names.clear()
  }

  /** Resolves when nothing is on its way any more. */
  async close(): Promise<void> {
    this.send()
    while (this.#last !== undefined) await this.#last.catch(() => undefined)
  }

  async #write(changes: readonly Change[]): Promise<void> {
    try {
      await this.#attempt(changes)
    } catch (error) {
      this.#options.onFailure(error)
      throw this.#options.failure() ?? error
    }
  }

  async #attempt(changes: readonly Change[]): Promise<void> {
    const { write, counts, onWritten } = this.#options
    const [before, after] = (await write(changes.flat())) as [Buffer, Buffer]
    this.#confirmed.add(changes)
    for (const group of this.#underWay) {
      if (!this.#confirmed.has(group)) break
      this.#underWay.delete(group)
    }
    counts.groups += 1
    counts.changes += changes.length
    onWritten(Number(before), Number(after))
  }

  #addTo(
    session: number,
    what: string,
    first: string | Buffer | number = '',
    second: Buffer | string = '',
  ): void {
    const name = this.names.get(session)
    // The session has gone to another node.
    if (name === undefined) return
    this.#gathering.push([what, name, first, second])
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => this.send())
  }
}
