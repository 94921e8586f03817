import type { Subject } from '@fleetroot/policy'
import { BoundedTable } from './bounded-table.ts'
import { InboundMeter, ratesOf } from './inbound-meter.ts'
import { type GuardLimits, maxRemembered } from './limits.ts'
import { RateTable } from './rate-table.ts'
import type { SharedBudget } from './shared-budget.ts'
import { SharedMeter } from './shared-meter.ts'

/** Why a connection of a proven identity is refused. */
export type IdentityRefusalCode = 'connect-rate' | 'too-many-connections'

export const identityRefusals: Readonly<Record<IdentityRefusalCode, string>> = {
  'connect-rate': 'this identity connects too often; is its key in use twice?',
  'too-many-connections': 'this identity has as many connections as it may have',
}

/**
 * What identities may use up, by role and device id, over all of their connections and listeners. It outlives a
 * connection, or a new one would come with a new budget.
 */
export class IdentityGuard {
  readonly #limits: GuardLimits
  readonly #clock: () => number
  readonly #connects: RateTable
  /** Open connections. */
  readonly #open = new Map<string, number>()
  readonly #meters = new BoundedTable<InboundMeter>(maxRemembered)
  readonly #budget: SharedBudget | undefined
  /** Connections that the others know of, or are being told of. */
  readonly #joined = new Map<string, number>()

  /** `clock` in milliseconds; it never goes back. `budget`: what other brokers know of the same identities. */
  constructor(
    limits: GuardLimits,
    {
      clock = () => performance.now(),
      budget,
    }: { clock?: () => number; budget?: SharedBudget | undefined } = {},
  ) {
    this.#limits = limits
    this.#budget = budget
    this.#clock = clock
    this.#connects = new RateTable(limits.connectRate, maxRemembered)
  }

  /** Counts one more connection of an identity, unless it may have none: then it returns why. */
  enter(subject: Subject): IdentityRefusalCode | undefined {
    const key = keyOf(subject)
    const open = this.#open.get(key) ?? 0
    if (open >= this.#limits.maxConnections) return 'too-many-connections'
    if (!this.#connects.take(key, this.#clock())) return 'connect-rate'
    this.#open.set(key, open + 1)
    return undefined
  }

  /** A connection that has entered is closed. */
  leave(subject: Subject): void {
    const key = keyOf(subject)
    const open = this.#open.get(key) ?? 0
    if (open <= 1) this.#open.delete(key)
    else this.#open.set(key, open - 1)
  }

  /**
   * Counts a connection that has entered with the other brokers as well, unless it is one too many for all of them
   * together: then it resolves to why. `closed` resolves when it is closed. When they cannot be asked, what is known here counts.
   */
  async join(subject: Subject, closed: Promise<void>): Promise<IdentityRefusalCode | undefined> {
    const budget = this.#budget
    if (budget === undefined) return undefined
    const key = keyOf(subject)
    const open = (this.#joined.get(key) ?? 0) + 1
    this.#joined.set(key, open)
    const refusal = await budget.enter(key, open, this.#limits).catch(() => undefined)
    const part = (): void => {
      const left = (this.#joined.get(key) ?? 0) - 1
      if (left > 0) this.#joined.set(key, left)
      else this.#joined.delete(key)
      budget.setOpen(key, Math.max(left, 0))
    }
    if (refusal === undefined) void closed.then(part)
    else part()
    return refusal
  }

  /** The meter of an identity's sessions. */
  meterOf(subject: Subject): InboundMeter {
    const key = keyOf(subject)
    const meter = this.#meters.get(key) ?? this.#newMeter(key)
    this.#meters.set(key, meter)
    return meter
  }

  #newMeter(key: string): InboundMeter {
    const budget = this.#budget
    if (budget === undefined) return new InboundMeter(this.#limits)
    const rates = ratesOf(this.#limits)
    return new SharedMeter(this.#limits, (used) => budget.settle(key, used, rates), this.#clock)
  }
}

function keyOf({ role, id }: Subject): string {
  return `${role}/${id}`
}
