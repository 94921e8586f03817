import type { IdentityRefusalCode } from './identity-guard.ts'
import type { Inbound } from './inbound-meter.ts'
import type { Rate } from './rate.ts'

/** What an identity has used up on all nodes together: milliseconds from now until each of its buckets is full again. */
export type SharedDebt = Inbound

/**
 * What the brokers that share a store know together of an identity's use, by its name. Where they cannot be asked the
 * promises are rejected, and each of them goes by what it knows itself.
 */
export interface SharedBudget {
  /** Counts one more connection, `open` on this broker now, unless the identity may have none: then it says why. */
  readonly enter: (
    name: string,
    open: number,
    limits: {
      readonly maxConnections: number
      readonly connectRate: { readonly perSecond: number; readonly burst: number }
    },
  ) => Promise<IdentityRefusalCode | undefined>
  /** So many connections are open on this broker now. Whatever happens, the others know it in the end. */
  readonly setOpen: (name: string, open: number) => void
  /** Charges what was read, and says what all have. */
  readonly settle: (
    name: string,
    used: Inbound,
    rates: Readonly<Record<keyof Inbound, Rate>>,
  ) => Promise<SharedDebt>
}
