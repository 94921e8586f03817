import type { DatabaseSync } from 'node:sqlite'
import type { CaKind } from '../authority/ca-id.ts'
import type { AuthorityChange } from '../authority/hierarchy-record.ts'
import type { AppendAudit } from './audit-log.ts'
import type { AppendEvent } from './event-log.ts'

/** A change of the set of CAs, with what the audit says of the CA. */
export type RecordedChange = AuthorityChange & { readonly kind: CaKind; readonly subjectKeyId?: string }

/** The operations about CAs. What CAs there are stands in `ca/authorities.json`, not here. */
export interface AuthorityOperations {
  /**
   * Writes down those of the changes that are not yet, each in the audit and all as one event, and answers with how many
   * there were. Any process may call it, with the same changes, any number of times.
   */
  recordAuthorityChanges(changes: readonly RecordedChange[]): number
  /**
   * How many devices have a newest certificate that is unexpired, not revoked for good, and issued by this CA, or before
   * this moment. The server's own responders do not count: they end with their CA.
   */
  countHolders(which: { nowMs: number } & ({ issuer: string } | { issuedBeforeMs: number })): number
}

/** The operations of {@link AuthorityOperations} on a database, with what they write to. */
export function authorityOperations(
  database: DatabaseSync,
  { appendEvent, appendAudit }: { appendEvent: AppendEvent; appendAudit: AppendAudit },
): AuthorityOperations {
  const insert = database.prepare('INSERT INTO authority_changes (revision, event) VALUES (?, ?)')
  const newest = database.prepare('SELECT max(revision) AS revision FROM authority_changes')
  const holders = database.prepare(
    `SELECT count(*) AS count FROM devices d JOIN certificates c ON c.serial = d.certificate
       LEFT JOIN revocations r ON r.serial = c.serial
     WHERE c.not_after > :now AND (r.reason IS NULL OR r.reason = 'certificateHold') AND c.profile <> 'ocsp'
       AND (:issuer IS NULL OR c.issuer = :issuer) AND (:before IS NULL OR c.issued_at < :before)`,
  )
  return {
    recordAuthorityChanges: (changes) => {
      const seen = Number(newest.get()?.['revision'] ?? 0)
      const added = changes.filter(({ revision }) => revision > seen)
      const last = added.at(-1)
      if (!last) return 0
      const event = appendEvent({ type: 'authorities', atMs: last.atMs, certificates: [] })
      for (const { revision, type, id, kind, atMs, by, forced, subjectKeyId } of added) {
        insert.run(revision, event)
        const about = {
          authority: id,
          kind,
          revision,
          event,
          ...(subjectKeyId !== undefined && { subjectKeyId }),
          ...(forced === true && { forced }),
        }
        appendAudit({ type, atMs, by: by ?? { kind: 'server', id: 'enrollment-server' }, about })
      }
      return added.length
    },
    countHolders: ({ nowMs, ...which }) => {
      const issuer = 'issuer' in which ? which.issuer : null
      const before = 'issuedBeforeMs' in which ? which.issuedBeforeMs : null
      return Number(holders.get({ now: nowMs, issuer, before })?.['count'] ?? 0)
    },
  }
}
