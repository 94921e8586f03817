import type { GuardLimits } from './limits.ts'
import { charge, overdraftMs, type Rate } from './rate.ts'

/** What a client has sent: packets that ask for something, bytes, and the topic filters of SUBSCRIBE and UNSUBSCRIBE. */
export interface Inbound {
  readonly messages: number
  readonly bytes: number
  readonly filters: number
}

/** One number for each thing that is measured. */
export type Measures = { -readonly [Name in keyof Inbound]: number }

/** What follows from what was read: wait that long before more is read, or end the session. */
export interface MeterVerdict {
  readonly holdMs: number
  /** Which limit it is about; undefined: none is reached. */
  readonly limit?: 'message-rate' | 'byte-rate' | 'filter-rate'
  /** It has been held back for too long without a pause. */
  readonly isAbuse: boolean
}

/** What a meter goes by. */
export type MeterLimits = Pick<GuardLimits, 'messageRate' | 'byteRate' | 'filterRate' | 'maxHeldBackMs'>

/** Everything that is measured, with the limit that it is about. */
export const measures = [
  ['messages', 'message-rate'],
  ['bytes', 'byte-rate'],
  ['filters', 'filter-rate'],
] as const satisfies readonly (readonly [keyof Inbound, MeterVerdict['limit']])[]

/** The rates by what they measure. */
export function ratesOf({
  messageRate,
  byteRate,
  filterRate,
}: MeterLimits): Readonly<Record<keyof Inbound, Rate>> {
  return { messages: messageRate, bytes: byteRate, filters: filterRate }
}

/** Who comes back within this time after it was held back has not paused. */
const pauseMs = 1_000

const free: MeterVerdict = { holdMs: 0, isAbuse: false }

/**
 * What one identity sends, in all of its sessions. Whoever sends faster than it may is not read for a while, so that
 * TCP slows it down and nothing is lost; one that pushes on all the same, without a pause, is abuse in the end.
 */
export class InboundMeter {
  protected readonly rates: Readonly<Record<keyof Inbound, Rate>>
  readonly #maxHeldBackMs: number
  readonly #fullAt: Measures = { messages: 0, bytes: 0, filters: 0 }
  #heldSince = 0
  #heldUntil = Number.NEGATIVE_INFINITY

  constructor(limits: MeterLimits) {
    this.rates = ratesOf(limits)
    this.#maxHeldBackMs = limits.maxHeldBackMs
  }

  /** A bucket is full in so many milliseconds at the earliest, whoever has emptied it. */
  protected owe(name: keyof Inbound, ms: number, now: number): void {
    this.#fullAt[name] = Math.max(this.#fullAt[name], now + ms)
  }

  /** Charges what was read at `now`, in milliseconds of a clock that never goes back. */
  charge(read: Inbound, now: number): MeterVerdict {
    let holdMs = 0
    let limit: MeterVerdict['limit']
    for (const [name, itsLimit] of measures) {
      const rate = this.rates[name]
      this.#fullAt[name] = charge(this.#fullAt[name], now, rate, read[name])
      const overdraft = overdraftMs(this.#fullAt[name], now, rate)
      if (overdraft <= holdMs) continue
      holdMs = overdraft
      limit = itsLimit
    }
    if (limit === undefined) return free
    if (now > this.#heldUntil + pauseMs) this.#heldSince = now
    this.#heldUntil = Math.max(this.#heldUntil, now + holdMs)
    return { holdMs, limit, isAbuse: now - this.#heldSince > this.#maxHeldBackMs }
  }
}
