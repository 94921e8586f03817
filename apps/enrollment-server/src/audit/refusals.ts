import type { AuditFields } from '@fleetroot/service'
import { Allowance } from '../http/allowance.ts'
import type { AuditEntry } from '../registry/audit-log.ts'
import type { Registry } from '../registry/registry.ts'

/** Takes a refusal into the audit. Does not wait for the disk: nothing was changed that depends on it. */
export type AuditRefusal = (about: AuditFields & { readonly code: string }) => void

/** What is refused, on its way into the audit. */
export interface RefusalAudit {
  readonly refused: AuditRefusal
  /** Resolves when everything refused until now is in the audit: who reads it finds what was answered before. */
  readonly written: () => Promise<unknown>
}

/**
 * Returns what audits refusals. Anybody can make the server refuse, so they are written at a limited
 * rate, or the audit would let strangers fill the disk; how many were left out is written as soon as it can be.
 * @param onError told when the registry does not take a record
 */
export function createRefusalAudit(options: {
  readonly registry: Pick<Registry, 'appendAudit'>
  readonly now: () => Date
  readonly onError: (error: unknown) => void
  /** Milliseconds that only grow. */
  readonly clockMs?: () => number
}): RefusalAudit {
  const { registry, now, onError, clockMs } = options
  const allowance = new Allowance(10, 200, clockMs)
  // The registry writes in the order in which it was asked: the last one stands for all before it.
  let last: Promise<unknown> = Promise.resolve()
  const append = (entry: Omit<AuditEntry, 'atMs'>): void => {
    last = registry.appendAudit({ ...entry, atMs: now().getTime() }).catch(onError)
  }
  return {
    refused: (about) => {
      const leftOut = allowance.take()
      if (leftOut === undefined) return
      if (leftOut > 0) append({ type: 'refusals-left-out', about: { count: leftOut } })
      append({ type: 'refused', about })
    },
    written: () => last,
  }
}
