import type { DatabaseSync } from 'node:sqlite'
import type { DeviceId, RevocationReason } from '@fleetroot/pki'

/** What can happen to the certificates of a device; `authorities`: the set of CAs has changed. */
export const eventTypes = [
  'issued',
  'renewed',
  'revoked',
  'suspended',
  'resumed',
  'retired',
  'authorities',
] as const

/** One of {@link eventTypes}. */
export type EventType = (typeof eventTypes)[number]

/** What happens to a device. */
export type DeviceEventType = Exclude<EventType, 'authorities'>

/** A certificate that an event is about; `reason` where it is revoked or held by it. */
export interface EventCertificate {
  readonly issuer: string
  readonly serial: string
  readonly reason?: RevocationReason
  /** It was asked for with a certificate that had expired. */
  readonly inGrace?: boolean
}

/** Something that happened, in the order of `id`: 1, 2, 3 … without gaps, over all processes on one registry. */
export interface RegistryEvent {
  readonly id: number
  readonly type: EventType
  readonly atMs: number
  /** Left out of `authorities`, which is about no device. */
  readonly deviceId?: DeviceId
  readonly certificates: readonly EventCertificate[]
}

/** How far the registry is; 0 where there is nothing yet. */
export interface EventHeads {
  /** Id of the newest event. */
  readonly last: number
  /** Id of the oldest event that is kept. */
  readonly first: number
  /** For each issuing CA that has ever revoked, id of the newest event that changed who is on its CRL. */
  readonly revocations: Readonly<Record<string, number>>
  /** The newest change of the set of CAs that is written down. */
  readonly authorities: number
}

/** The operations on events. */
export interface EventOperations {
  /** Events in their order, after the id `after`. */
  listEvents(page: { after: number; limit: number }): RegistryEvent[]
  eventHeads(input: undefined): EventHeads
  /**
   * Deletes the oldest events: those before `beforeMs`, and all but the newest `keep`; at most `limit` in one
   * call. Answers with how many. The newest one stays whatever its age.
   */
  pruneEvents(input: { beforeMs: number; keep: number; limit: number }): number
}

/** Adds an event within the transaction of the change that it is about, and answers with its id. */
export type AppendEvent = (event: Omit<RegistryEvent, 'id'>) => number

/** The events of a registry. The caller of `append` is in a writing transaction. */
export function createEventLog(database: DatabaseSync): {
  append: AppendEvent
  operations: EventOperations
} {
  const insert = database.prepare(
    'INSERT INTO events (type, at, device_id, certificates) VALUES (?, ?, ?, ?)',
  )
  const page = database.prepare('SELECT * FROM events WHERE id > ? ORDER BY id LIMIT ?')
  // One statement, so that all belong to one moment; it jumps from issuer to issuer, however many were revoked.
  const heads = database.prepare(
    `WITH RECURSIVE issuers(name) AS (
       SELECT min(issuer) FROM revocations
       UNION ALL
       SELECT (SELECT min(issuer) FROM revocations WHERE issuer > name) FROM issuers WHERE name IS NOT NULL)
     SELECT (SELECT max(id) FROM events) AS last, (SELECT min(id) FROM events) AS first,
       (SELECT max(revision) FROM authority_changes) AS authorities,
       (SELECT json_group_object(name, (SELECT max(event) FROM revocations WHERE issuer = name))
        FROM issuers WHERE name IS NOT NULL) AS revocations`,
  )
  // Oldest first and nothing in between, whatever the clock did: the ids that are left have no gap.
  const prune = database.prepare(
    `DELETE FROM events WHERE id IN (
       SELECT id FROM events WHERE id < max(
         (SELECT max(id) FROM events) - ? + 1,
         coalesce((SELECT id FROM events WHERE at >= ? ORDER BY id LIMIT 1), (SELECT max(id) FROM events)))
       ORDER BY id LIMIT ?)`,
  )
  return {
    append: ({ type, atMs, deviceId, certificates }) =>
      Number(insert.run(type, atMs, deviceId ?? '', JSON.stringify(certificates)).lastInsertRowid),
    operations: {
      listEvents: ({ after, limit }) =>
        page.all(after, limit).map((row) => ({
          id: row['id'] as number,
          type: row['type'] as EventType,
          atMs: row['at'] as number,
          ...(row['device_id'] !== '' && { deviceId: row['device_id'] as DeviceId }),
          certificates: JSON.parse(row['certificates'] as string) as EventCertificate[],
        })),
      eventHeads: () => {
        const { last, first, authorities, revocations } = heads.get() as Record<string, number | null> & {
          revocations: string
        }
        return {
          last: last ?? 0,
          first: first ?? 0,
          revocations: JSON.parse(revocations) as EventHeads['revocations'],
          authorities: authorities ?? 0,
        }
      },
      pruneEvents: ({ beforeMs, keep, limit }) =>
        Number(prune.run(Math.max(keep, 1), beforeMs, limit).changes),
    },
  }
}
