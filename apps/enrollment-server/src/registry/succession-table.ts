import type { DatabaseSync } from 'node:sqlite'
import type { AppendAudit } from './audit-log.ts'
import type { Actor } from './records.ts'

/** The operations that say which certificates are in use, and which a newer one has replaced. */
export interface SuccessionOperations {
  /**
   * Notes that these certificates have connected to a broker. One that had not before is `active`, and so is its device; those
   * that it replaced are superseded. What was so before, is revoked, or is not known changes nothing.
   */
  activateCertificates(input: { serials: readonly string[]; atMs: number; by: Actor }): Activation
  /**
   * Supersedes the predecessors of certificates that were issued before `issuedBeforeMs` and have not connected since. At most
   * `limit` in one call; answers with how many it looked at.
   */
  supersedeOverdue(input: { issuedBeforeMs: number; nowMs: number; limit: number }): number
}

/** What became of a report of connections. */
export interface Activation {
  readonly activated: number
  readonly unchanged: number
  readonly unknown: number
}

/** Notes which certificate a new one replaces, within the transaction that records it. */
export type NoteSuccession = (succession: {
  serial: string
  predecessor: string
  issuedAtMs: number
  notAfterMs: number
}) => void

/** Of one renewal after the other, none of which has connected. */
const longestLine = 100

/** The successions of a registry. */
export function createSuccessionTable(
  database: DatabaseSync,
  appendAudit: AppendAudit,
): { note: NoteSuccession; operations: SuccessionOperations } {
  const insert = database.prepare(
    'INSERT INTO successions (serial, predecessor, issued_at, not_after, is_overdue) VALUES (?, ?, ?, ?, 0)',
  )
  const find = database.prepare(
    `SELECT c.device_id, c.status, r.reason FROM certificates c LEFT JOIN revocations r USING (serial)
     WHERE c.serial = ?`,
  )
  const predecessorOf = database.prepare('SELECT predecessor FROM successions WHERE serial = ?')
  const finish = database.prepare('DELETE FROM successions WHERE serial = ?')
  const activate = database.prepare(
    `UPDATE certificates SET status = 'active' WHERE serial = ? AND status = 'issued'`,
  )
  const supersede = database.prepare(
    `UPDATE certificates SET status = 'superseded', superseded_by = :by
     WHERE serial = :serial AND superseded_by IS NULL AND (status <> 'superseded' OR :by IS NOT NULL)`,
  )
  const activateDevice = database.prepare(
    `UPDATE devices SET state = CASE state WHEN 'enrolled' THEN 'active' ELSE state END,
       suspended_from = CASE suspended_from WHEN 'enrolled' THEN 'active' ELSE suspended_from END
     WHERE id = ? AND (state = 'enrolled' OR suspended_from = 'enrolled')`,
  )
  const overdue = database.prepare(
    `SELECT s.serial, s.predecessor, c.device_id FROM successions s JOIN certificates c ON c.serial = s.serial
     WHERE s.is_overdue = 0 AND s.issued_at <= ? ORDER BY s.issued_at LIMIT ?`,
  )
  const markOverdue = database.prepare('UPDATE successions SET is_overdue = 1 WHERE serial = ?')
  const forget = database.prepare('DELETE FROM successions WHERE not_after <= ? AND is_overdue = 1')

  /** Everything that led to a certificate which has connected. */
  function supersedeLine(serial: string): string[] {
    const superseded: string[] = []
    let newer = serial
    for (let length = 0; length < longestLine; length += 1) {
      const predecessor = predecessorOf.get(newer)?.['predecessor'] as string | undefined
      if (predecessor === undefined) break
      finish.run(newer)
      if (supersede.run({ by: serial, serial: predecessor }).changes > 0) superseded.push(predecessor)
      newer = predecessor
    }
    return superseded
  }

  function activateOne(serial: string, { atMs, by }: { atMs: number; by: Actor }): keyof Activation {
    const row = find.get(serial) as { device_id: string; reason: string | null } | undefined
    if (!row) return 'unknown'
    // A hold may be taken off again; what is revoked for good is of no interest any more.
    if (row.reason !== null && row.reason !== 'certificateHold') return 'unchanged'
    const isFirst = activate.run(serial).changes > 0
    const isDeviceFirst = activateDevice.run(row.device_id).changes > 0
    const superseded = supersedeLine(serial)
    if (!isFirst && !isDeviceFirst && superseded.length === 0) return 'unchanged'
    const about = { deviceId: row.device_id, serial, ...(superseded.length > 0 && { superseded }) }
    appendAudit({ type: 'activated', atMs, by, about })
    return 'activated'
  }

  return {
    note: ({ serial, predecessor, issuedAtMs, notAfterMs }) => {
      insert.run(serial, predecessor, issuedAtMs, notAfterMs)
    },
    operations: {
      activateCertificates: (input) => {
        const done = { activated: 0, unchanged: 0, unknown: 0 }
        for (const serial of input.serials) done[activateOne(serial, input)] += 1
        return done
      },
      supersedeOverdue: ({ issuedBeforeMs, nowMs, limit }) => {
        forget.run(nowMs)
        const rows = overdue.all(issuedBeforeMs, limit) as {
          serial: string
          predecessor: string
          device_id: string
        }[]
        for (const { serial, predecessor, device_id: deviceId } of rows) {
          // Kept: when the successor connects after all, the predecessor is superseded by it for good.
          markOverdue.run(serial)
          if (supersede.run({ by: null, serial: predecessor }).changes === 0) continue
          const about = { deviceId, serial: predecessor, successor: serial }
          appendAudit({
            type: 'superseded',
            atMs: nowMs,
            by: { kind: 'server', id: 'enrollment-server' },
            about,
          })
        }
        return rows.length
      },
    },
  }
}
