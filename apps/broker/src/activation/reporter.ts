import type { ConnectionOptions } from 'node:tls'
import { type Backoff, fullJitterBackoff } from '@fleetroot/device-client'
import type { SerialNumber } from '@fleetroot/pki'
import type { Logger } from '@fleetroot/service'
import { BrokerError } from '../error.ts'
import { postActivations } from './post.ts'

/** Serial numbers in one request. */
const batchSize = 1000
/** That wait to be told. What comes on top is told at the next connection of that certificate. */
const maxWaiting = 100_000
/** That need not be told again; of more, the oldest are, which costs a request and changes nothing. */
const maxTold = 200_000
/** How long a first connection waits for others to share its request. */
const gatherMs = 200

/** What a reporter has met with so far. */
export interface ActivationCounts {
  readonly waiting: number
  readonly told: number
  readonly failures: number
}

/** How to tell, and whom. */
export interface ActivationOptions {
  /** `https://host:port` of the enrollment server. */
  readonly url: string
  /** Asked for every request: the broker's own certificate is renewed while it runs. */
  readonly tls: () => ConnectionOptions
  readonly log: Logger
  readonly gatherMs?: number
  /** Default: full jitter from a second to a minute. */
  readonly backoff?: Backoff
}

/**
 * Tells the enrollment server which certificates have connected, in batches, each certificate once. Nobody waits for it: what
 * cannot be told is kept, up to a limit, and tried again; what is lost with the process is told at the next connection.
 */
export class ActivationReporter {
  readonly #options: ActivationOptions
  readonly #backoff: Backoff
  readonly #waiting = new Set<SerialNumber>()
  readonly #told = new Set<SerialNumber>()
  readonly #stop = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #underWay: Promise<void> | undefined
  #failures = 0
  #failuresInARow = 0
  #trouble: string | undefined

  constructor(options: ActivationOptions) {
    this.#options = options
    this.#backoff = options.backoff ?? fullJitterBackoff({ baseMs: 1_000, capMs: 60_000 })
  }

  /** A session of this certificate has begun. */
  connected(serial: SerialNumber): void {
    if (this.#told.has(serial) || this.#waiting.size >= maxWaiting || this.#stop.signal.aborted) return
    this.#waiting.add(serial)
    if (this.#underWay === undefined) this.#timer ??= this.#after(this.#options.gatherMs ?? gatherMs)
  }

  counts(): ActivationCounts {
    return { waiting: this.#waiting.size, told: this.#told.size, failures: this.#failures }
  }

  /** Gives up what is waiting. */
  async close(): Promise<void> {
    this.#stop.abort()
    clearTimeout(this.#timer)
    await this.#underWay
  }

  #after(ms: number): NodeJS.Timeout {
    return setTimeout(() => {
      this.#timer = undefined
      this.#underWay = this.#tellAndGoOn()
    }, ms)
  }

  async #tellAndGoOn(): Promise<void> {
    const waitMs = await this.#tell()
    this.#underWay = undefined
    if (this.#waiting.size > 0 && !this.#stop.signal.aborted) this.#timer = this.#after(waitMs)
  }

  /** Resolves to the milliseconds to wait before the next request. */
  async #tell(): Promise<number> {
    const { url, tls, log } = this.#options
    const serials = [...this.#waiting.values().take(batchSize)]
    try {
      await postActivations({ url, tls: tls(), serials, signal: this.#stop.signal })
    } catch (error) {
      if (this.#stop.signal.aborted) return 0
      this.#failures += 1
      const why = error instanceof BrokerError ? error.message : String(error)
      // Once for each trouble: a server that is too old for it says so every minute.
      if (why !== this.#trouble) log.warn({ reason: why }, 'cannot tell which certificates have connected')
      this.#trouble = why
      return this.#backoff(this.#failuresInARow++)
    }
    if (this.#trouble !== undefined)
      log.info('the enrollment server hears again which certificates have connected')
    this.#trouble = undefined
    this.#failuresInARow = 0
    for (const serial of serials) {
      this.#waiting.delete(serial)
      this.#told.add(serial)
    }
    for (const oldest of this.#told) {
      if (this.#told.size <= maxTold) break
      this.#told.delete(oldest)
    }
    return 0
  }
}
