import type { Logger } from '@fleetroot/service'
import { type BrokerCounts, count } from '../metrics/counts.ts'
import { type GuardLimits, maxRemembered } from './limits.ts'
import { networkOf } from './network.ts'
import { charge, overdraftMs } from './rate.ts'
import { RateTable } from './rate-table.ts'

/** Why a connection is cut before a byte of TLS is spoken. */
export type AcceptRefusalCode =
  | 'handshakes-total'
  | 'handshakes-address'
  | 'accept-rate-total'
  | 'accept-rate-address'
  | 'proxy-header'

const details: Readonly<Record<AcceptRefusalCode, string>> = {
  'handshakes-total': 'too many handshakes are open at once',
  'handshakes-address': 'too many handshakes of this address are open at once',
  'accept-rate-total': 'too many connections a second',
  'accept-rate-address': 'too many connections a second from this address',
  'proxy-header': 'what a trusted proxy sent is not a PROXY protocol header, version 2',
}

/** A connection between its first packet and a proven identity, as it counts against the budget. */
export class Visit {
  /** Who is at the other end; before `identify`, the last hop. */
  address: string
  readonly #guard: AcceptGuard
  #network: string | undefined
  #isDone = false

  constructor(guard: AcceptGuard, address: string) {
    this.#guard = guard
    this.address = address
  }

  /** Counts the visit against an address. A reason: it may not go on, and that is counted and logged. */
  identify(address: string): AcceptRefusalCode | undefined {
    this.address = address
    const network = networkOf(address)
    const refusal = this.#guard.enter(network)
    if (refusal === undefined) this.#network = network
    else this.#guard.refuse(refusal, address)
    return refusal
  }

  /** The handshake is done, or the connection is gone. Idempotent. */
  done(): void {
    if (this.#isDone) return
    this.#isDone = true
    this.#guard.leave(this.#network)
  }
}

/**
 * The budget of connections before TLS, for all listeners together: a handshake costs more than a millisecond of CPU,
 * which anybody on the internet could ask for. A connection beyond the budget is cut when it has cost 36
 * microseconds. What is known about addresses is bounded; who is over the limit of an address takes nothing from
 * the budget of all.
 */
export class AcceptGuard {
  readonly #limits: GuardLimits
  readonly #counts: BrokerCounts
  readonly #log: Logger
  readonly #clock: () => number
  readonly #rates: RateTable
  /** Open handshakes by network: no more entries than `maxHandshakes`. */
  readonly #open = new Map<string, number>()
  #totalFullAt = 0
  #silentUntil = 0
  #unsaid = 0

  /** `clock` in milliseconds; it never goes back. */
  constructor(
    limits: GuardLimits,
    counts: BrokerCounts,
    log: Logger,
    clock: () => number = () => performance.now(),
  ) {
    this.#limits = limits
    this.#counts = counts
    this.#log = log
    this.#clock = clock
    this.#rates = new RateTable(limits.acceptRatePerAddress, maxRemembered)
  }

  /** Starts a visit, or returns undefined where the connection must be cut; that is counted and logged. */
  open(address: string): Visit | undefined {
    if (this.#counts.handshakes >= this.#limits.maxHandshakes) {
      this.refuse('handshakes-total', address)
      return undefined
    }
    this.#counts.handshakes += 1
    return new Visit(this, address)
  }

  /** For `Visit`: counts one more open handshake of `network`, unless its budget or that of all is used up. */
  enter(network: string): AcceptRefusalCode | undefined {
    const { acceptRate, maxHandshakesPerAddress } = this.#limits
    const open = this.#open.get(network) ?? 0
    if (open >= maxHandshakesPerAddress) return 'handshakes-address'
    const now = this.#clock()
    if (!this.#rates.take(network, now)) return 'accept-rate-address'
    this.#counts.addresses = this.#rates.size
    const fullAt = charge(this.#totalFullAt, now, acceptRate, 1)
    if (overdraftMs(fullAt, now, acceptRate) > 0) return 'accept-rate-total'
    this.#totalFullAt = fullAt
    this.#open.set(network, open + 1)
    return undefined
  }

  /** For `Visit`: a handshake less; `network`, where it was counted against one. */
  leave(network: string | undefined): void {
    this.#counts.handshakes -= 1
    if (network === undefined) return
    const open = this.#open.get(network) ?? 0
    if (open <= 1) this.#open.delete(network)
    else this.#open.set(network, open - 1)
  }

  /** Counts a refusal, and logs at most one line a second, with how many there were: a flood must not fill a disk. */
  refuse(code: AcceptRefusalCode, address: string, detail: string = details[code]): void {
    count(this.#counts.refused, code)
    this.#unsaid += 1
    const now = this.#clock()
    if (now < this.#silentUntil) return
    this.#silentUntil = now + 1_000
    const refusals = this.#unsaid
    this.#unsaid = 0
    this.#log.warn({ address, reason: code, detail, refusals }, 'connections refused before TLS')
  }
}
