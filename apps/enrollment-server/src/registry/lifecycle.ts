import type { DatabaseSync } from 'node:sqlite'
import type { DeviceId, RevocationReason } from '@fleetroot/pki'
import { type DeviceChange, transition } from '../lifecycle/transition.ts'
import type { AppendAudit } from './audit-log.ts'
import { deviceColumns, deviceFromRow } from './device-table.ts'
import type { AppendEvent, EventCertificate, DeviceEventType } from './event-log.ts'
import type { Expectation } from './expectation.ts'
import type { Actor, DeviceRecord, DeviceState } from './records.ts'
import type { RevocationWriter } from './revocation-table.ts'

/** A change of a device that an operator asks for. */
export interface DeviceChangeRequest {
  readonly id: DeviceId
  readonly change: DeviceChange
  /** Why certificates are revoked; a hold has its own reason. */
  readonly reason: RevocationReason
  readonly atMs: number
  readonly by: Actor
  readonly expected?: Expectation
}

/** What became of it. `changed` is false when it was so before. */
export type DeviceChangeOutcome =
  | {
      readonly ok: true
      readonly changed: boolean
      readonly device: DeviceRecord
      /** How many certificates were revoked, held or released by it. */
      readonly certificates: number
    }
  | { readonly ok: false; readonly code: 'device-unknown' | 'device-retired' | 'precondition-failed' }

/** The operations that end, or interrupt, the life of certificates: each is one transaction with its event. */
export interface LifecycleOperations {
  changeDevice(request: DeviceChangeRequest): DeviceChangeOutcome
  /** Revokes one certificate; `unchanged` if it was revoked before, whatever the reason was. */
  revokeCertificate(input: {
    serial: string
    reason: RevocationReason
    atMs: number
    by: Actor
    expected?: Expectation
  }): 'revoked' | 'unchanged' | 'serial-unknown' | 'precondition-failed'
  /**
   * Revokes certificates, and whole devices, in one transaction, with one event and one audit record for each
   * device. What is not known does not keep the rest from being revoked.
   */
  revokeAll(input: {
    serials: readonly string[]
    deviceIds: readonly DeviceId[]
    reason: RevocationReason
    atMs: number
    by: Actor
  }): RevokedAll
}

/** What became of each: the keys are those that were asked for. */
export interface RevokedAll {
  /** How many certificates were good, or on hold, before. */
  readonly certificates: number
  readonly serials: ReadonlyMap<string, 'revoked' | 'unchanged' | 'serial-unknown'>
  readonly devices: ReadonlyMap<DeviceId, 'revoked' | 'unchanged' | 'device-unknown'>
}

interface CertificateRow {
  serial: string
  issuer: string
  not_after: number
  device_id: DeviceId
  reason: RevocationReason | null
}

const eventTypes: Readonly<Record<DeviceChange, DeviceEventType>> = {
  revoke: 'revoked',
  suspend: 'suspended',
  resume: 'resumed',
  retire: 'retired',
}

/** The operations of {@link LifecycleOperations} on a database, with what they write to. */
export function lifecycleOperations(
  database: DatabaseSync,
  journal: { appendEvent: AppendEvent; appendAudit: AppendAudit; revocations: RevocationWriter },
): LifecycleOperations {
  const { appendEvent, appendAudit, revocations } = journal
  const deviceById = database.prepare(`SELECT ${deviceColumns}, d.suspended_from FROM devices d WHERE id = ?`)
  const setState = database.prepare('UPDATE devices SET state = ?, suspended_from = ? WHERE id = ?')
  const columns = 'c.serial, c.issuer, c.not_after, c.device_id, r.reason'
  const bySerial = database.prepare(
    `SELECT ${columns} FROM certificates c LEFT JOIN revocations r USING (serial) WHERE c.serial = ?`,
  )
  // Expired ones prove nothing any more; the newest one may still be good for a late renewal.
  const ofDevice = database.prepare(
    `SELECT ${columns} FROM devices d JOIN certificates c ON c.device_id = d.id
       LEFT JOIN revocations r USING (serial)
     WHERE d.id = ? AND (c.not_after > ? OR c.serial = d.certificate OR r.reason = 'certificateHold')`,
  )

  // A token that was made before must not undo what is decided now, not even by a request that came before and is
  // still being worked on: that one compares with the time at which it began. Nor must an approval that has no certificate yet.
  const endTokens = database.prepare(
    'UPDATE tokens SET expires_at = 0 WHERE device_id = ? AND used_at IS NULL AND expires_at > ?',
  )
  const endApprovals = database.prepare(
    `UPDATE approvals SET expires_at = 0
     WHERE device_id = ? AND state = 'approved' AND certificate IS NULL AND expires_at > ?`,
  )
  const endUnused = (id: DeviceId, atMs: number): Ended => ({
    tokens: Number(endTokens.run(id, atMs).changes),
    approvals: Number(endApprovals.run(id, atMs).changes),
  })

  function write(
    type: DeviceEventType,
    deviceId: DeviceId,
    rows: readonly CertificateRow[],
    reason: RevocationReason | undefined,
    { atMs, by }: { atMs: number; by: Actor },
    ended: Ended = none,
  ): void {
    const certificates: EventCertificate[] = rows.map(({ issuer, serial }) => ({
      issuer,
      serial,
      ...(reason && { reason }),
    }))
    const event = appendEvent({ type, atMs, deviceId, certificates })
    for (const { serial, issuer, not_after: notAfterMs } of rows) {
      if (reason) revocations.put({ serial, issuer, reason, atMs, notAfterMs, event })
      else revocations.release(serial, event)
    }
    const about = {
      deviceId,
      event,
      certificates: certificates.map((one) => ({ ...one })),
      ...(ended.tokens > 0 && { tokens: ended.tokens }),
      ...(ended.approvals > 0 && { approvals: ended.approvals }),
    }
    appendAudit({ type, atMs, by, about })
  }

  return {
    changeDevice: (request) => {
      const { id, change, reason, atMs } = request
      const row = deviceById.get(id)
      if (!row) return { ok: false, code: 'device-unknown' }
      const device = deviceFromRow(row)
      const suspendedFrom = (row['suspended_from'] as DeviceState | null) ?? undefined
      const next = transition(device.state, change, suspendedFrom)
      if (!next.ok) return next

      const all = ofDevice.all(id, atMs) as unknown as CertificateRow[]
      const affected = all.filter((one) => isAffected(one, next.certificates))
      const ended = next.certificates === 'revoke' ? endUnused(id, atMs) : none
      if (next.state === device.state && affected.length === 0 && !isAny(ended))
        return { ok: true, changed: false, device, certificates: 0 }
      if (next.state !== device.state) {
        setState.run(next.state, next.state === 'suspended' ? device.state : null, id)
      }
      const given = { hold: 'certificateHold', revoke: reason, release: undefined, keep: undefined } as const
      write(eventTypes[change], id, affected, given[next.certificates], request, ended)
      return {
        ok: true,
        changed: true,
        device: deviceFromRow(deviceById.get(id)),
        certificates: affected.length,
      }
    },

    revokeAll: (request) => {
      const serials = new Map<string, 'revoked' | 'unchanged' | 'serial-unknown'>()
      const devices = new Map<DeviceId, 'revoked' | 'unchanged' | 'device-unknown'>()
      // By device, and by serial number, so that nothing is revoked twice and each device has one event.
      const affected = new Map<DeviceId, Map<string, CertificateRow>>()
      const take = (row: CertificateRow): boolean => {
        if (!isAffected(row, 'revoke')) return false
        const rows = affected.get(row.device_id) ?? new Map<string, CertificateRow>()
        affected.set(row.device_id, rows.set(row.serial, row))
        return true
      }
      const unused = new Map<DeviceId, Ended>()
      for (const id of request.deviceIds) {
        const rows = deviceById.get(id) && (ofDevice.all(id, request.atMs) as unknown as CertificateRow[])
        if (rows === undefined) {
          devices.set(id, 'device-unknown')
          continue
        }
        const ended = endUnused(id, request.atMs)
        if (isAny(ended)) {
          unused.set(id, ended)
          affected.set(id, affected.get(id) ?? new Map<string, CertificateRow>())
        }
        const isChanged = rows.filter(take).length > 0 || isAny(ended)
        if (isChanged || !devices.has(id)) devices.set(id, isChanged ? 'revoked' : 'unchanged')
      }
      for (const serial of request.serials) {
        const row = bySerial.get(serial) as CertificateRow | undefined
        serials.set(serial, row ? (take(row) ? 'revoked' : 'unchanged') : 'serial-unknown')
      }
      let certificates = 0
      for (const [id, rows] of affected) {
        write('revoked', id, [...rows.values()], request.reason, request, unused.get(id))
        certificates += rows.size
      }
      return { certificates, serials, devices }
    },

    revokeCertificate: (request) => {
      const row = bySerial.get(request.serial) as CertificateRow | undefined
      if (!row) return 'serial-unknown'
      if (!isAffected(row, 'revoke')) return 'unchanged'
      write('revoked', row.device_id, [row], request.reason, request)
      return 'revoked'
    },
  }
}

/** What a device had to get a certificate with, and has no more. */
interface Ended {
  readonly tokens: number
  readonly approvals: number
}

const none: Ended = { tokens: 0, approvals: 0 }

function isAny({ tokens, approvals }: Ended): boolean {
  return tokens + approvals > 0
}

function isAffected({ reason }: CertificateRow, what: 'revoke' | 'hold' | 'release' | 'keep'): boolean {
  switch (what) {
    case 'revoke':
      return reason === null || reason === 'certificateHold'
    case 'hold':
      return reason === null
    case 'release':
      return reason === 'certificateHold'
    case 'keep':
      return false
    default:
      return what satisfies never
  }
}
