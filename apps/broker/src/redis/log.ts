import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'

/** An entry of the log: its fields by name. */
export type LogEntry = ReadonlyMap<string, Buffer>

/** What a log is read with. */
export interface LogOptions {
  /** A connection for nothing else: it is waiting most of the time. */
  readonly connection: Redis
  /** The key of the stream. */
  readonly key: string
  readonly onEntry: (entry: LogEntry) => void
  /** All entries that were there have been told. */
  readonly onPause: () => void
}

const blockMs = 1_000
const atOnce = 1_000

type Answer = [Buffer, [Buffer, Buffer[]][]][] | null

/**
 * Reads the log that all nodes share, in its order and without a gap: after a lost connection it goes on where it was. What must not be
 * missed is in the log; that it is still there is for the node to ensure.
 */
export class Log {
  readonly #options: LogOptions
  /** When Redis has answered last, by `performance.now`. */
  answeredMs = Number.NEGATIVE_INFINITY
  #position = '0-0'
  /** Grows with every `begin`: what was asked for before is of no concern any more. */
  #run = 0
  #waiting: { readonly id: string; readonly resolve: () => void; readonly reject: (why: Error) => void }[] =
    []

  constructor(options: LogOptions) {
    this.#options = options
  }

  /** Id of the last entry that was told. */
  get position(): string {
    return this.#position
  }

  /** Reads what comes after `position`. */
  begin(position: string): void {
    this.#run += 1
    this.#position = position
    void this.#read(this.#run)
  }

  end(why: Error): void {
    this.#run += 1
    this.abandon(why)
  }

  /** Whoever waits is told that it cannot be. */
  abandon(why: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(why)
  }

  /** Resolves when the entry `id` and all before it have been told. */
  reach(id: string): Promise<void> {
    if (!isAfter(id, this.#position)) return Promise.resolve()
    return new Promise((resolve, reject) => this.#waiting.push({ id, resolve, reject }))
  }

  async #read(run: number): Promise<void> {
    const { connection, key } = this.#options
    while (run === this.#run) {
      try {
        const answer = (await connection.callBuffer(
          'XREAD',
          'COUNT',
          atOnce,
          'BLOCK',
          blockMs,
          'STREAMS',
          key,
          this.#position,
        )) as Answer
        this.answeredMs = performance.now()
        if (run === this.#run && answer !== null) this.#tell(answer[0]![1])
      } catch {
        // The node hears of the connection by itself.
        await delay(50)
      }
    }
  }

  #tell(entries: [Buffer, Buffer[]][]): void {
    const { onEntry, onPause } = this.#options
    for (const [id, words] of entries) {
      const fields = new Map<string, Buffer>()
      for (let n = 0; n < words.length; n += 2) fields.set(words[n]!.toString(), words[n + 1]!)
      onEntry(fields)
      this.#position = id.toString()
    }
    onPause()
    const reached = this.#waiting.filter(({ id }) => !isAfter(id, this.#position))
    if (reached.length === 0) return
    this.#waiting = this.#waiting.filter(({ id }) => isAfter(id, this.#position))
    for (const { resolve } of reached) resolve()
  }
}

/** Ids are `milliseconds-number`. */
function isAfter(id: string, other: string): boolean {
  const [ms = 0, n = 0] = id.split('-').map(Number)
  const [otherMs = 0, otherN = 0] = other.split('-').map(Number)
  return ms === otherMs ? n > otherN : ms > otherMs
}
