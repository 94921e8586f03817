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
/** Node's timers do not wait for longer. */
const maxTimerMs = 2 ** 31 - 1

const free: MeterVerdict = { holdMs: 0, isAbuse: false }

/**
 * What one identity sends, in all of its sessions. Whoever sends faster than it may is not read for a while, so that
 * TCP slows it down and nothing is lost; one that pushes on all the same, without a pause, is abuse in the end.
 */
export class InboundMeter {
  protected readonly rates: Readonly<Record<keyof Inbound, Rate>>
  readonly #maxHeldBackMs: number
  readonly #fullAt: Measures = { messages: 0, bytes: 0, filters: 0 }
  /** Until when something is owed, so that to ask is to compare two numbers. */
  #owesUntil = Number.NEGATIVE_INFINITY
  #owedLimit: NonNullable<MeterVerdict['limit']> = 'message-rate'
  #heldSince = 0
  #heldUntil = Number.NEGATIVE_INFINITY
  /** Who waits until nothing is owed, in the order in which they came; made with the first one. */
  #waiting: (() => void)[] | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(limits: MeterLimits) {
    this.rates = ratesOf(limits)
    this.#maxHeldBackMs = limits.maxHeldBackMs
  }

  /** A bucket is full in so many milliseconds at the earliest, whoever has emptied it. */
  protected owe(name: keyof Inbound, ms: number, now: number): void {
    this.#fullAt[name] = Math.max(this.#fullAt[name], now + ms)
    this.#note(name, now)
  }

  /** For how long nothing more is to be read, in milliseconds: whoever is to be read owes, too, what the other sessions have sent. */
  owedMs(now: number): number {
    return now >= this.#owesUntil ? 0 : this.#owesUntil - now
  }

  /** Has anything ever been owed? Most never do, and are not asked the time for it. */
  get hasOwed(): boolean {
    return this.#owesUntil !== Number.NEGATIVE_INFINITY
  }

  /** What the debt is about that is paid last. */
  get owedLimit(): NonNullable<MeterVerdict['limit']> {
    return this.#owedLimit
  }

  /**
   * Calls `resume` when nothing is owed any more, by `performance.now`. Who has waited for longer comes first, and the others wait on for what
   * that one sends: sessions of one identity take turns, and each time it is one.
   */
  wait(resume: () => void): void {
    this.#waiting ??= []
    this.#waiting.push(resume)
    this.#wake()
  }

  #wake(): void {
    const now = performance.now()
    this.#holdBack(now)
    if (this.#timer !== undefined) return
    const ms = Math.min(Math.ceil(this.owedMs(now)), maxTimerMs)
    this.#timer = setTimeout(() => this.#serve(), ms).unref()
  }

  #serve(): void {
    this.#timer = undefined
    const waiting = this.#waiting!
    while (waiting.length > 0) {
      if (this.owedMs(performance.now()) > 0) return this.#wake()
      waiting.shift()!()
    }
  }

  #note(name: keyof Inbound, now: number): void {
    const overdraft = overdraftMs(this.#fullAt[name], now, this.rates[name])
    if (overdraft > 0) this.#oweUntil(now + overdraft, measures.find(([measured]) => measured === name)![1])
  }

  #oweUntil(until: number, limit: NonNullable<MeterVerdict['limit']>): void {
    if (until <= this.#owesUntil) return
    this.#owesUntil = until
    this.#owedLimit = limit
  }

  /** Somebody is kept waiting: without a pause, if it was so a moment ago. */
  #holdBack(now: number): void {
    if (now > this.#heldUntil + pauseMs) this.#heldSince = now
    this.#heldUntil = Math.max(this.#heldUntil, this.#owesUntil)
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
    this.#oweUntil(now + holdMs, limit)
    this.#holdBack(now)
    return { holdMs, limit, isAbuse: now - this.#heldSince > this.#maxHeldBackMs }
  }
}
