import type { AuditFields } from '@fleetroot/service'
import type { AuditEntry } from '../registry/audit-log.ts'
import type { Registry } from '../registry/registry.ts'

/** How many refusals are written in a second, and at once after a quiet time. */
const perSecond = 10
const atOnce = 200

/** Takes a refusal into the audit. Does not wait for the disk: nothing was changed that depends on it. */
export type AuditRefusal = (about: AuditFields & { readonly code: string }) => void

/**
 * Returns the function that audits refusals. Anybody can make the server refuse, so they are written at a limited
 * rate, or the audit would let strangers fill the disk; how many were left out is written as soon as it can be.
 * @param onError told when the registry does not take a record
 */
export function createRefusalAudit(options: {
  readonly registry: Pick<Registry, 'appendAudit'>
  readonly now: () => Date
  readonly onError: (error: unknown) => void
  /** Milliseconds that only grow. */
  readonly clockMs?: () => number
}): AuditRefusal {
  const { registry, now, onError, clockMs = () => performance.now() } = options
  let allowance = atOnce
  let countedAt = clockMs()
  let leftOut = 0
  const append = (entry: Omit<AuditEntry, 'atMs'>): void => {
    registry.appendAudit({ ...entry, atMs: now().getTime() }).catch(onError)
  }
  return (about) => {
    const at = clockMs()
    allowance = Math.min(atOnce, allowance + ((at - countedAt) / 1000) * perSecond)
    countedAt = at
    if (allowance < 1) {
      leftOut += 1
      return
    }
    allowance -= 1
    if (leftOut > 0) append({ type: 'refusals-left-out', about: { count: leftOut } })
    leftOut = 0
    append({ type: 'refused', about })
  }
}
