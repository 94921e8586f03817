import { setTimeout as delay } from 'node:timers/promises'
import { BrokerError } from '../error.ts'
import type { StoreCounts } from './counts.ts'
import type { Journal } from './journal.ts'
import type { Database } from './open.ts'

type Change = { type: 'put'; key: Buffer; value: Buffer } | { type: 'del'; key: Buffer }

/** What a disk journal is made of. */
export interface DiskJournalOptions {
  readonly database: Database
  /** Opens the directory again after a failure: LevelDB writes nothing any more to one that has failed once. */
  readonly reopen: () => Promise<Database>
  readonly counts: StoreCounts
  /** Hears when nothing can be made safe any more (the reason), and when it can again (undefined). */
  readonly onHealth: (failure: Error | undefined) => void
  /** Between attempts to write what could not be written. Default 2 s. */
  readonly retryMs?: number
}

/**
 * How long changes for which nobody waits gather: who is online, what clients have acknowledged. A group costs CPU and a write
 * however small it is, and each connection would make two of its own.
 */
const patienceMs = 50

/**
 * Group commit: while one group of changes is written and fsynced, the next one gathers. So a lone message waits for one
 * fsync, and under load thousands share one, which is the only way in which a PUBACK that means something is
 * affordable (about 2 ms an fsync on a cloud disk, and some 400,000 changes a second in groups of hundreds).
 */
export class DiskJournal implements Journal {
  #database: Database
  readonly #options: DiskJournalOptions
  #gathering: Change[] = []
  #gathered = Promise.withResolvers<void>()
  #isAwaited = false
  /** Ends the patience with a group for which nobody waited until now. */
  #hurry: (() => void) | undefined
  #written: Promise<void> | undefined
  #running: Promise<void> | undefined
  #failure: BrokerError | undefined
  #isClosed = false
  readonly #closing = new AbortController()
  group = 1
  safeGroup = 0

  constructor(options: DiskJournalOptions) {
    this.#options = options
    this.#database = options.database
    this.#gathered.promise.catch(ignore)
  }

  get isFailing(): boolean {
    return this.#failure !== undefined
  }

  put(key: Buffer, value: Buffer): void {
    this.#add({ type: 'put', key, value })
  }

  del(key: Buffer): void {
    this.#add({ type: 'del', key })
  }

  flushed(): Promise<void> | undefined {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (this.#gathering.length === 0) return this.#written
    this.#isAwaited = true
    this.#hurry?.()
    return this.#gathered.promise
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#closing.abort()
    this.#hurry?.()
    while (this.#running !== undefined) await this.#running
    await this.#database.close()
  }

  #add(change: Change): void {
    if (this.#isClosed) return
    this.#gathering.push(change)
    // At the end of the turn: all packets that came in one piece of the stream are in one group.
    this.#running ??= new Promise<void>((resolve) => setImmediate(resolve)).then(() => this.#run())
  }

  async #run(): Promise<void> {
    const { counts } = this.#options
    while (this.#gathering.length > 0) {
      if (!this.#isAwaited && !this.#isClosed) await this.#patience()
      const changes = this.#gathering
      const { promise, resolve, reject } = this.#gathered
      const group = this.group
      const sync = this.#isAwaited
      this.#isAwaited = false
      this.#gathering = []
      this.#gathered = Promise.withResolvers<void>()
      this.#gathered.promise.catch(ignore)
      this.#written = promise
      this.group += 1
      try {
        await this.#database.batch(changes, { sync })
        counts.groups += 1
        counts.changes += changes.length
        this.safeGroup = group
        resolve()
      } catch (error) {
        this.#fail(error)
        reject(this.#failure)
        if (!(await this.#tryAgain(changes))) return this.#stop()
        this.safeGroup = group
        this.#recover()
      }
    }
    this.#stop()
  }

  async #patience(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, patienceMs)
    this.#hurry = resolve
    await promise
    clearTimeout(timer)
    this.#hurry = undefined
  }

  #stop(): void {
    this.#written = undefined
    this.#running = undefined
  }

  #fail(cause: unknown): void {
    const { counts, onHealth } = this.#options
    this.#failure = new BrokerError(
      'store-failed',
      `the store cannot be written: ${(cause as Error).message}; nothing is acknowledged until it can`,
      { cause },
    )
    // Those who wait for changes that gather meanwhile.
    this.#gathered.reject(this.#failure)
    this.#gathered = Promise.withResolvers<void>()
    this.#gathered.promise.catch(ignore)
    counts.failures += 1
    counts.isFailing = true
    onHealth(this.#failure)
  }

  #recover(): void {
    this.#failure = undefined
    this.#options.counts.isFailing = false
    this.#options.onHealth(undefined)
  }

  /** Memory is ahead of the disk by these changes: they are written before anything else, however long it takes. */
  async #tryAgain(changes: Change[]): Promise<boolean> {
    const { reopen, retryMs = 2_000 } = this.#options
    for (;;) {
      try {
        await delay(retryMs, undefined, { signal: this.#closing.signal })
      } catch {
        return false
      }
      try {
        await this.#database.close()
        this.#database = await reopen()
        await this.#database.batch(changes, { sync: true })
        return true
      } catch {
        // The first reason has been told; the next attempt follows.
      }
    }
  }
}

function ignore(): void {}
