import { InboundMeter, type MeterLimits, type MeterVerdict } from './inbound-meter.ts'
import type { SharedBudget } from './shared-budget.ts'

/** Tells the others what was used, and returns what all have. */
export type Settle = (used: { messages: number; bytes: number }) => ReturnType<SharedBudget['settle']>

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
  readonly #limits: MeterLimits
  readonly #settle: Settle
  readonly #clock: () => number
  #messages = 0
  #bytes = 0
  #settledMs = Number.NEGATIVE_INFINITY
  #settling: NodeJS.Timeout | undefined

  /** `clock`: that of what is charged. */
  constructor(limits: MeterLimits, settle: Settle, clock: () => number) {
    super(limits)
    this.#limits = limits
    this.#settle = settle
    this.#clock = clock
  }

  override charge(messages: number, bytes: number, now: number): MeterVerdict {
    this.#messages += messages
    this.#bytes += bytes
    const { messageRate, byteRate } = this.#limits
    const isMuch =
      this.#messages * untoldPart >= messageRate.burst || this.#bytes * untoldPart >= byteRate.burst
    if (isMuch && this.#settling === undefined) {
      const dueMs = Math.max(0, this.#settledMs + settleEveryMs - now)
      this.#settling = setTimeout(() => void this.#meet(), dueMs)
      this.#settling.unref()
    }
    return super.charge(messages, bytes, now)
  }

  async #meet(): Promise<void> {
    const used = { messages: this.#messages, bytes: this.#bytes }
    this.#messages = 0
    this.#bytes = 0
    this.#settledMs = this.#clock()
    try {
      const { messagesMs, bytesMs } = await this.#settle(used)
      const { messageRate, byteRate } = this.#limits
      // What was read while the answer was on its way the others do not know yet.
      this.owe(
        messagesMs + (this.#messages * 1_000) / messageRate.perSecond,
        bytesMs + (this.#bytes * 1_000) / byteRate.perSecond,
        this.#clock(),
      )
    } catch {
      // Each for itself until they can be asked again.
    } finally {
      this.#settling = undefined
    }
  }
}
