import { hash } from 'node:crypto'
import { type AuditFields, canonicalJson } from './canonical-json.ts'

/** The newest record of a chain by its number and hash: who remembers it can tell later that nothing is missing. */
export interface AuditHead {
  readonly seq: number
  /** SHA-256, lower-case hex. */
  readonly hash: string
}

/** One record: what happened, under a number, and the hash that ties it to all records before it. */
export interface AuditRecord {
  readonly record: AuditFields & { readonly seq: number }
  readonly hash: string
}

/** What comes before the first record. */
export const emptyAuditChain: AuditHead = { seq: 0, hash: '00'.repeat(32) }

/**
 * Makes the next record of a chain. Its hash is SHA-256 over the 32 octets of the hash before it, then the
 * canonical JSON of the record (UTF-8), so that it depends on every record before it. `json` is that text.
 */
export function nextAuditRecord(previous: AuditHead, fields: AuditFields): AuditRecord & { json: string } {
  const record = { ...fields, seq: previous.seq + 1 }
  const json = canonicalJson(record)
  const octets = Buffer.concat([Buffer.from(previous.hash, 'hex'), Buffer.from(json)])
  // In one call: an object that hashes costs 5 µs.
  return { record, json, hash: hash('sha256', octets, 'hex') }
}
