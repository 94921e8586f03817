import { hkdfSync, randomBytes } from 'node:crypto'
import type { Logger } from '@fleetroot/service'
import type { Redis } from 'ioredis'
import { ticketKeyBytes, type TicketKeys, ticketLifetimeMs } from '../listener/ticket-keys.ts'
import { openConnection } from './connection.ts'
import type { RedisAddress } from './redis-setting.ts'
import { isNotTheMaster } from './server-run.ts'

/** What a ring is made of. */
export interface TicketRingOptions {
  readonly address: RedisAddress
  /** What the nodes know and Redis does not. */
  readonly secret: string
  /** Where the keys are put to use. */
  readonly keys: TicketKeys
  readonly log: Logger
}

/** How often the nodes look whether one of them has changed the keys. */
const lookEveryMs = 300
/** For so long a node trusts what it saw last: then, and until it sees it again, it has keys of its own. */
const trustMs = 600
/** A Redis that has not answered for so long is left: another one may answer at its address by now. */
const patienceMs = 2_000
/** Nonces that are over and would be known again, should a replica or a backup of Redis bring them back. */
const maxPast = 1_000

/**
 * The nonce of now. KEYS[1]: where it is; ARGV[1]: the one that is over, `*` for whichever, ARGV[2]: the one to follow it, ARGV[3]: how long one
 * lasts, in milliseconds. Of those who bring the same one to its end only the first says what follows.
 */
const script = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.call('HMGET', KEYS[1], 'nonce', 'made')
local age = known[1] and now - tonumber(known[2])
local isOver = ARGV[1] == '*' or ARGV[1] == known[1]
if age and age >= 0 and age < tonumber(ARGV[3]) and not isOver then return known[1] end
redis.call('HSET', KEYS[1], 'nonce', ARGV[2], 'made', string.format('%.0f', now))
return ARGV[2]`

/**
 * Keys of TLS session tickets that nodes share, so that a session resumes on any of them. In Redis is a nonce; the keys
 * follow from it and a secret, because whoever has the keys can pose as any client that ever connected. A node that does
 * not see the nonce for most of a second uses random keys until it does: after a revocation nobody goes on with the old
 * ones for longer than that, whoever is cut off from whom.
 */
export class TicketRing {
  readonly #options: TicketRingOptions
  readonly #connection: Redis
  readonly #looking: NodeJS.Timeout
  readonly #past = new Set<string>()
  /** The nonce that the keys in use follow from; undefined: they are random. */
  #nonce: string | undefined
  /** The nonce that is to be replaced; `*`: whichever there is. */
  #over = ''
  /** Grows with every rotation. */
  #turn = 0
  #seenMs = Number.NEGATIVE_INFINITY
  /** When the question was asked whose answer is due. */
  #askedMs = 0
  #isLooking = false
  #isWanted = false

  constructor(options: TicketRingOptions) {
    this.#options = options
    this.#connection = openConnection({
      address: options.address,
      name: 'fleetroot-broker-tickets',
      onHealth: (failure) => {
        if (failure === undefined) this.#look()
      },
    })
    this.#looking = setInterval(() => this.#tick(), lookEveryMs)
    this.#looking.unref()
  }

  /** Ends the use of the keys, here before it returns, and on the other nodes when they look. */
  rotate(): void {
    this.#turn += 1
    if (this.#nonce === undefined) this.#over = '*'
    else this.#forget(this.#nonce)
    this.#options.keys.use()
    this.#look()
  }

  close(): void {
    clearInterval(this.#looking)
    this.#connection.disconnect()
  }

  #forget(nonce: string): void {
    this.#over = nonce
    this.#nonce = undefined
    this.#past.add(nonce)
    const [oldest] = this.#past
    if (this.#past.size > maxPast) this.#past.delete(oldest!)
  }

  #tick(): void {
    const { keys, log } = this.#options
    if (this.#nonce !== undefined && performance.now() - this.#seenMs > trustMs) {
      this.#nonce = undefined
      keys.use()
      log.info('TLS sessions are not resumed on other nodes until Redis answers again')
    }
    if (this.#isLooking && performance.now() - this.#askedMs > patienceMs) this.#connection.disconnect(true)
    this.#look()
  }

  #look(): void {
    if (this.#isLooking) {
      this.#isWanted = true
      return
    }
    this.#isLooking = true
    this.#isWanted = false
    void this.#ask().finally(() => {
      this.#isLooking = false
      if (this.#isWanted) this.#look()
    })
  }

  async #ask(): Promise<void> {
    const { address, keys } = this.#options
    const askedMs = (this.#askedMs = performance.now())
    const next = randomBytes(32).toString('hex')
    const key = `${address.prefix}:tickets`
    const turn = this.#turn
    let nonce: string
    try {
      nonce = String(await this.#connection.eval(script, 1, key, this.#over, next, ticketLifetimeMs))
    } catch (error) {
      if (isNotTheMaster(error)) this.#connection.disconnect(true)
      // The clock decides what to do without an answer.
      return
    }
    if (turn !== this.#turn) {
      // They are over again, which this question did not say.
      this.#isWanted = true
      return
    }
    this.#over = ''
    if (this.#past.has(nonce)) {
      // Brought back from the past.
      this.#over = nonce
      this.#isWanted = true
      return
    }
    this.#seenMs = askedMs
    if (nonce === this.#nonce) return
    if (this.#nonce !== undefined) this.#forget(this.#nonce)
    this.#nonce = nonce
    keys.use(this.#derive(nonce))
  }

  #derive(nonce: string): Buffer {
    const { secret, address } = this.#options
    const purpose = `fleetroot session tickets of ${address.prefix}`
    return Buffer.from(hkdfSync('sha256', secret, nonce, purpose, ticketKeyBytes))
  }
}
