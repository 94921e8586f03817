import type { DatabaseSync } from 'node:sqlite'
import {
  type AuditFields,
  type AuditHead,
  type AuditRecord,
  emptyAuditChain,
  nextAuditRecord,
} from '@fleetroot/service/audit'
import type { AuthorityChangeType } from '../authority/hierarchy-record.ts'
import type { CsrReport } from '../problem/refusal.ts'
import type { Actor } from './records.ts'

/** What is written down: every decision, and what it was taken under. */
export type AuditType =
  | 'started'
  | 'config-loaded'
  | 'registered'
  | 'token-made'
  | 'claim-made'
  | 'approval-asked'
  | 'approval-approved'
  | 'approval-denied'
  | 'issued'
  | 'renewed'
  | 'repeated'
  | 'refused'
  | 'refusals-left-out'
  | 'revoked'
  | 'suspended'
  | 'resumed'
  | 'retired'
  | 'activated'
  | 'superseded'
  | AuthorityChangeType

/** One decision. `about` holds what there is to say about it: never a secret. */
export interface AuditEntry {
  readonly type: AuditType
  readonly atMs: number
  readonly by?: Actor | undefined
  readonly about?: AuditFields
}

/** The operations on the audit. Nothing changes or removes a record. */
export interface AuditOperations {
  /** Adds a record that belongs to no other change. */
  appendAudit(entry: AuditEntry): AuditHead
  /** Records in their order, after the number `after`. */
  listAudit(page: { after: number; limit: number }): AuditRecord[]
  auditHead(input: undefined): AuditHead
}

/** A report on a CSR as a record holds it. */
export function auditedCsr({ fields }: CsrReport): AuditFields {
  return { fields: fields.map((field) => ({ ...field })) }
}

/** Adds a record within the transaction of the change that it is about. */
export type AppendAudit = (entry: AuditEntry) => AuditHead

/** The audit of a registry. The caller of `append` is in a writing transaction, so that no other process is. */
export function createAuditLog(database: DatabaseSync): {
  append: AppendAudit
  operations: AuditOperations
} {
  const newest = database.prepare('SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1')
  const insert = database.prepare('INSERT INTO audit (seq, record, hash) VALUES (?, ?, ?)')
  const page = database.prepare('SELECT record, hash FROM audit WHERE seq > ? ORDER BY seq LIMIT ?')

  const head = (): AuditHead => (newest.get() as unknown as AuditHead | undefined) ?? emptyAuditChain

  const append: AppendAudit = ({ type, atMs, by, about }) => {
    const fields: AuditFields = {
      ...about,
      type,
      at: new Date(atMs).toISOString(),
      ...(by && { by: { ...by } }),
    }
    const { record, json, hash } = nextAuditRecord(head(), fields)
    insert.run(record.seq, json, hash)
    return { seq: record.seq, hash }
  }

  return {
    append,
    operations: {
      appendAudit: append,
      listAudit: ({ after, limit }) =>
        page.all(after, limit).map(({ record, hash }) => ({
          record: JSON.parse(record as string) as AuditRecord['record'],
          hash: hash as string,
        })),
      auditHead: head,
    },
  }
}
