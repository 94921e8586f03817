import type { DatabaseSync } from 'node:sqlite'
import type { RevocationReason, SerialNumber } from '@fleetroot/pki'

/** A change of who is on a CRL. Without a reason a hold was taken off. */
export interface RevocationChange {
  readonly serial: SerialNumber
  readonly reason?: RevocationReason
  readonly revokedAtMs: number
}

/** A CRL that was published: its thisUpdate, and the newest event that it includes. */
export interface CrlPublication {
  readonly atMs: number
  readonly eventId: number
}

/** The operations behind CRLs. */
export interface RevocationOperations {
  /**
   * Takes the next CRL number of an issuing CA and reads, in the same transaction, what changed after the event
   * `after`: a larger number never says less. `published` is what the caller has published before: from now on
   * certificates that had expired by then need not be listed (RFC 5280, section 3.3), and with `after` 0
   * those are left out, unless they expire after `nowMs`: a clock that was ahead then has been set back.
   */
  startCrl(input: { issuer: string; after: number; nowMs: number; published?: CrlPublication }): {
    readonly number: number
    /** The newest event of the registry. */
    readonly eventId: number
    readonly changes: RevocationChange[]
  }
  /**
   * Serials of certificates that had expired when a list was published at `atMs`, and that it named because it
   * includes `eventId`: later lists need not. Only those that expired since `fromMs` or changed since `fromEventId`.
   */
  lapsedRevocations(
    input: { issuer: string; fromMs: number; fromEventId: number } & CrlPublication,
  ): SerialNumber[]
}

/** What the life of a certificate does to the table, within the transaction of the event `event`. */
export interface RevocationWriter {
  put(row: {
    serial: string
    issuer: string
    reason: RevocationReason
    atMs: number
    notAfterMs: number
    event: number
  }): void
  release(serial: string, event: number): void
}

/** The revocations of a registry. */
export function createRevocationTable(database: DatabaseSync): {
  writer: RevocationWriter
  operations: RevocationOperations
} {
  // A certificate that was on hold keeps the date of the hold: what was signed since then is not to be trusted.
  const put = database.prepare(
    `INSERT INTO revocations (serial, issuer, reason, revoked_at, not_after, event) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (serial) DO UPDATE SET
       revoked_at = CASE WHEN reason IS NULL THEN excluded.revoked_at ELSE revoked_at END,
       reason = excluded.reason, event = excluded.event`,
  )
  const release = database.prepare('UPDATE revocations SET reason = NULL, event = ? WHERE serial = ?')
  const takeNumber = database.prepare(
    `INSERT INTO crls (issuer, number, published_at, published_event) VALUES (?, 1, ?, ?)
     ON CONFLICT (issuer) DO UPDATE SET number = number + 1,
       published_at = max(published_at, excluded.published_at),
       published_event = max(published_event, excluded.published_event)
     RETURNING number, published_at, published_event`,
  )
  const newestEvent = database.prepare('SELECT max(id) AS id FROM events')
  const changed = database.prepare(
    `SELECT serial, reason, revoked_at FROM revocations WHERE issuer = ? AND event > ?`,
  )
  const listed = database.prepare(
    `SELECT serial, reason, revoked_at FROM revocations
     WHERE issuer = ? AND reason IS NOT NULL AND (not_after >= ? OR event > ?)`,
  )
  const lapsed = database.prepare(
    `SELECT serial FROM revocations WHERE issuer = ? AND not_after < ? AND event <= ? AND (not_after >= ? OR event > ?)`,
  )
  return {
    writer: {
      put: ({ serial, issuer, reason, atMs, notAfterMs, event }) => {
        put.run(serial, issuer, reason, atMs, notAfterMs, event)
      },
      release: (serial, event) => {
        release.run(event, serial)
      },
    },
    operations: {
      lapsedRevocations: ({ issuer, fromMs, fromEventId, atMs, eventId }) =>
        lapsed.all(issuer, atMs, eventId, fromMs, fromEventId).map(({ serial }) => serial as SerialNumber),
      startCrl: ({ issuer, after, nowMs, published = { atMs: 0, eventId: 0 } }) => {
        const taken = takeNumber.get(issuer, published.atMs, published.eventId) as Record<string, number>
        const rows =
          after > 0
            ? changed.all(issuer, after)
            : listed.all(issuer, Math.min(taken['published_at'] ?? 0, nowMs), taken['published_event'] ?? 0)
        return {
          number: taken['number'] ?? 0,
          eventId: Number(newestEvent.get()?.['id'] ?? 0),
          changes: rows.map(changeFromRow),
        }
      },
    },
  }
}

function changeFromRow(row: Record<string, unknown>): RevocationChange {
  const { serial, reason, revoked_at } = row as {
    serial: SerialNumber
    reason: RevocationReason | null
    revoked_at: number
  }
  return { serial, revokedAtMs: revoked_at, ...(reason !== null && { reason }) }
}
