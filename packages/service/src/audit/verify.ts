import { type AuditHead, type AuditRecord, emptyAuditChain, nextAuditRecord } from './chain.ts'

/** What is known from elsewhere about a chain that is verified. */
export interface AuditKnowledge {
  /** The last record before the first one that is looked at; left out: the chain is looked at from its beginning. */
  readonly after?: AuditHead
  /** A head that was noted down earlier: the chain must still have it. */
  readonly head?: AuditHead
}

/** The head of a chain that is whole, or the first record that is not as it was written, and what is wrong. */
export type AuditVerdict =
  | { readonly ok: true; readonly head: AuditHead }
  | {
      readonly ok: false
      readonly seq: number
      readonly problem: 'changed' | 'out-of-order' | 'rewritten' | 'truncated'
    }

/** Verifies a chain record by record, for one that does not fit into memory. */
export interface AuditVerification {
  /** Takes the next record. After the first problem the verdict stays what it is. */
  add(record: AuditRecord): void
  /** The verdict on what was added. */
  end(): AuditVerdict
}

/**
 * Starts the verification of a chain. A record that was changed, removed, inserted or moved is found by itself.
 * Records that were cut off at the end, and a chain that was written anew from some point on, are found
 * with a `head` noted down earlier in a place that the forger could not reach.
 */
export function startAuditVerification({ after, head }: AuditKnowledge = {}): AuditVerification {
  let last = after ?? emptyAuditChain
  let found: AuditVerdict | undefined
  return {
    add: ({ record, hash }) => {
      if (found) return
      const seq = last.seq + 1
      if (record.seq !== seq) found = { ok: false, seq, problem: 'out-of-order' }
      else if (nextHash(last, record) !== hash) found = { ok: false, seq, problem: 'changed' }
      else if (head?.seq === seq && head.hash !== hash) found = { ok: false, seq, problem: 'rewritten' }
      else last = { seq, hash }
    },
    end: () => {
      if (found) return found
      if (head && head.seq > last.seq) return { ok: false, seq: last.seq + 1, problem: 'truncated' }
      return { ok: true, head: last }
    },
  }
}

/** Verifies a whole chain: see {@link startAuditVerification}. */
export function verifyAuditChain(
  records: Iterable<AuditRecord>,
  knowledge: AuditKnowledge = {},
): AuditVerdict {
  const verification = startAuditVerification(knowledge)
  for (const record of records) verification.add(record)
  return verification.end()
}

/** Undefined for a record that no program of ours can have written. */
function nextHash(last: AuditHead, record: AuditRecord['record']): string | undefined {
  try {
    return nextAuditRecord(last, record).hash
  } catch {
    return undefined
  }
}
