import type { GuardLimits } from './limits.ts'
import { charge, overdraftMs } from './rate.ts'

/** What follows from what was read: wait that long before more is read, or end the session. */
export interface MeterVerdict {
  readonly holdMs: number
  /** Which limit it is about; undefined: none is reached. */
  readonly limit?: 'message-rate' | 'byte-rate'
  /** It has been held back for too long without a pause. */
  readonly isAbuse: boolean
}

/** What a meter goes by. */
export type MeterLimits = Pick<GuardLimits, 'messageRate' | 'byteRate' | 'maxHeldBackMs'>

/** Who comes back within this time after it was held back has not paused. */
const pauseMs = 1_000

const free: MeterVerdict = { holdMs: 0, isAbuse: false }

/**
 * What one identity sends, in all of its sessions. Whoever sends faster than it may is not read for a while, so that
 * TCP slows it down and nothing is lost; one that pushes on all the same, without a pause, is abuse in the end.
 */
export class InboundMeter {
  readonly #limits: MeterLimits
  #messagesFullAt = 0
  #bytesFullAt = 0
  #heldSince = 0
  #heldUntil = Number.NEGATIVE_INFINITY

  constructor(limits: MeterLimits) {
    this.#limits = limits
  }

  /** Its buckets are full in so many milliseconds at the earliest, whoever has emptied them. */
  protected owe(messagesMs: number, bytesMs: number, now: number): void {
    this.#messagesFullAt = Math.max(this.#messagesFullAt, now + messagesMs)
    this.#bytesFullAt = Math.max(this.#bytesFullAt, now + bytesMs)
  }

  /** Charges what was read at `now`, in milliseconds of a clock that never goes back. */
  charge(messages: number, bytes: number, now: number): MeterVerdict {
    const { messageRate, byteRate, maxHeldBackMs } = this.#limits
    this.#messagesFullAt = charge(this.#messagesFullAt, now, messageRate, messages)
    this.#bytesFullAt = charge(this.#bytesFullAt, now, byteRate, bytes)
    const forMessages = overdraftMs(this.#messagesFullAt, now, messageRate)
    const forBytes = overdraftMs(this.#bytesFullAt, now, byteRate)
    const holdMs = Math.max(forMessages, forBytes)
    if (holdMs <= 0) return free
    if (now > this.#heldUntil + pauseMs) this.#heldSince = now
    this.#heldUntil = Math.max(this.#heldUntil, now + holdMs)
    const limit = forMessages >= forBytes ? 'message-rate' : 'byte-rate'
    return { holdMs, limit, isAbuse: now - this.#heldSince > maxHeldBackMs }
  }
}
