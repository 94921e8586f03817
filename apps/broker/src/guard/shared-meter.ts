import { type Inbound, InboundMeter, type MeterLimits, type MeterVerdict, measures } from './inbound-meter.ts'
import type { SharedBudget } from './shared-budget.ts'

/** Tells the others what was used, and returns what all have. */
export type Settle = (used: Inbound) => ReturnType<SharedBudget['settle']>

/** So often at most, per identity and process. */
const settleEveryMs = 250
/** What a process need not tell the others: this part of a burst. */
const untoldPart = 20

/**
 * A meter of an identity that may be connected to several brokers at once. Each reads at its own discretion and settles
 * with the others four times a second, and only when there is something to tell, so that a device that reports now and
 * then costs nothing. Over time all of them together let an identity send what it may; at once, each further broker
 * may let pass what is left of the burst, what the rate allows for a quarter of a second, and a twentieth of a burst.
 */
export class SharedMeter extends InboundMeter {
  readonly #settle: Settle
  readonly #clock: () => number
  #used = { messages: 0, bytes: 0, filters: 0 }
  #settledMs = Number.NEGATIVE_INFINITY
  #settling: NodeJS.Timeout | undefined

  /** `clock`: that of what is charged. */
  constructor(limits: MeterLimits, settle: Settle, clock: () => number) {
    super(limits)
    this.#settle = settle
    this.#clock = clock
  }

  override charge(read: Inbound, now: number): MeterVerdict {
    let isMuch = false
    for (const [name] of measures) {
      this.#used[name] += read[name]
      isMuch ||= this.#used[name] * untoldPart >= this.rates[name].burst
    }
    if (isMuch && this.#settling === undefined) {
      const dueMs = Math.max(0, this.#settledMs + settleEveryMs - now)
      this.#settling = setTimeout(() => void this.#meet(), dueMs)
      this.#settling.unref()
    }
    return super.charge(read, now)
  }

  async #meet(): Promise<void> {
    const used = this.#used
    this.#used = { messages: 0, bytes: 0, filters: 0 }
    this.#settledMs = this.#clock()
    try {
      const debt = await this.#settle(used)
      const now = this.#clock()
      for (const [name] of measures) {
        // What was read while the answer was on its way the others do not know yet.
        this.owe(name, debt[name] + (this.#used[name] * 1_000) / this.rates[name].perSecond, now)
      }
    } catch {
      // Each for itself until they can be asked again.
    } finally {
      this.#settling = undefined
    }
  }
}
