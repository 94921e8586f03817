import type { Subject } from '../policy/policy.ts'
import { BoundedTable } from './bounded-table.ts'
import { InboundMeter } from './inbound-meter.ts'
import { type GuardLimits, maxRemembered } from './limits.ts'
import { RateTable } from './rate-table.ts'

/**
 * What identities may use up, by role and device id, over all of their connections and listeners. It outlives a
 * connection, or a new one would come with a new budget.
 */
export class IdentityGuard {
  readonly #limits: GuardLimits
  readonly #clock: () => number
  readonly #connects: RateTable
  readonly #meters = new BoundedTable<InboundMeter>(maxRemembered)

  /** `clock` in milliseconds; it never goes back. */
  constructor(limits: GuardLimits, clock: () => number = () => performance.now()) {
    this.#limits = limits
    this.#clock = clock
    this.#connects = new RateTable(limits.connectRate, maxRemembered)
  }

  /** May this identity connect once more? */
  mayConnect(subject: Subject): boolean {
    return this.#connects.take(keyOf(subject), this.#clock())
  }

  /** The meter of an identity's sessions. */
  meterOf(subject: Subject): InboundMeter {
    const key = keyOf(subject)
    const meter = this.#meters.get(key) ?? new InboundMeter(this.#limits)
    this.#meters.set(key, meter)
    return meter
  }
}

function keyOf({ role, id }: Subject): string {
  return `${role}/${id}`
}
