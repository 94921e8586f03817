import type { Subject } from '@fleetroot/policy'
import { BoundedTable } from './bounded-table.ts'
import { InboundMeter } from './inbound-meter.ts'
import { type GuardLimits, maxRemembered } from './limits.ts'
import { RateTable } from './rate-table.ts'

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

  /** `clock` in milliseconds; it never goes back. */
  constructor(limits: GuardLimits, clock: () => number = () => performance.now()) {
    this.#limits = limits
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
