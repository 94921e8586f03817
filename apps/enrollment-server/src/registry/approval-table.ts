import type { DatabaseSync } from 'node:sqlite'
import type { DeviceId } from '@fleetroot/pki'
import type { AppendAudit } from './audit-log.ts'
import type { Expectation } from './expectation.ts'
import type { Actor, ApprovalRecord } from './records.ts'
import type { NewCertificate, NewDevice } from './registry.ts'

/** How many requests may wait for an operator at once: of everybody, of one address, and how many new ones of one address a minute. */
export const approvalLimits = { pending: 1000, pendingOfAddress: 100, newOfAddressPerMinute: 30 } as const

/** The operations on approvals. */
export interface ApprovalOperations {
  /**
   * Writes down that a device without a credential asks for a certificate for its key. `limited`: too many wait, and nothing
   * was written. What has expired is forgotten on this occasion.
   */
  askApproval(request: {
    publicKey: string
    deviceId: DeviceId
    profile: string
    address: string
    nowMs: number
    expiresAtMs: number
  }): 'asked' | 'limited'
  /** Undefined when the key has not asked, or so long ago that it is forgotten. */
  findApproval(query: { publicKey: string; nowMs: number }): ApprovalRecord | undefined
  /** In the order of their public keys. */
  listApprovals(page: {
    limit: number
    after?: string
    state?: ApprovalRecord['state']
    nowMs: number
  }): ApprovalRecord[]
  /**
   * Approves, which adds the device to the inventory, or denies. What was decided can be decided again the other way, until the
   * device was added: `settled`. `exists`: the inventory has got a device of this id meanwhile.
   */
  decideApproval(decision: {
    publicKey: string
    state: 'approved' | 'denied'
    labels?: Readonly<Record<string, string>>
    nowMs: number
    expiresAtMs: number
    by: Actor
    expected?: Expectation
  }): 'decided' | 'unknown' | 'settled' | 'exists' | 'precondition-failed'
}

/** Uses an approval, within the transaction that records the certificate. Undefined: it is good; else the serial that it was used for. */
export type UseApproval = (input: NewCertificate) => 'missing' | { readonly serial: string } | undefined

interface ApprovalRow {
  public_key: string
  device_id: DeviceId
  profile: string
  state: ApprovalRecord['state']
  address: string
  asked_at: number
  decided_at: number | null
  expires_at: number
  certificate: string | null
}

/** The approvals of a registry. */
export function createApprovalTable(
  database: DatabaseSync,
  { appendAudit, addDevice }: { appendAudit: AppendAudit; addDevice: (device: NewDevice) => boolean },
): { use: UseApproval; operations: ApprovalOperations } {
  const byKey = database.prepare('SELECT * FROM approvals WHERE public_key = ? AND expires_at > ?')
  const page = database.prepare(
    `SELECT * FROM approvals WHERE public_key > :after AND expires_at > :now AND (:state IS NULL OR state = :state)
     ORDER BY public_key LIMIT :limit`,
  )
  const forget = database.prepare('DELETE FROM approvals WHERE expires_at <= ?')
  const counts = database.prepare(
    `SELECT count(*) FILTER (WHERE state = 'pending') AS pending,
            count(*) FILTER (WHERE state = 'pending' AND address = :address) AS mine,
            count(*) FILTER (WHERE address = :address AND asked_at > :minuteAgo) AS recent
     FROM approvals`,
  )
  const insert = database.prepare(
    `INSERT INTO approvals (public_key, device_id, profile, state, address, asked_at, expires_at)
     VALUES (?, ?, ?, 'pending', ?, ?, ?) ON CONFLICT (public_key) DO NOTHING`,
  )
  const decide = database.prepare(
    'UPDATE approvals SET state = ?, decided_at = ?, expires_at = ? WHERE public_key = ?',
  )
  const noteUse = database.prepare('UPDATE approvals SET certificate = ? WHERE public_key = ?')

  const find = (publicKey: string, nowMs: number): ApprovalRecord | undefined => {
    const row = byKey.get(publicKey, nowMs)
    return row && approvalFromRow(row)
  }

  return {
    use: ({ certificate, approval }) => {
      if (approval === undefined) return undefined
      const record = find(approval, certificate.issuedAtMs)
      if (record?.state !== 'approved' || record.deviceId !== certificate.deviceId) return 'missing'
      if (record.serial !== undefined) return { serial: record.serial }
      noteUse.run(certificate.serial, approval)
      return undefined
    },
    operations: {
      findApproval: ({ publicKey, nowMs }) => find(publicKey, nowMs),
      listApprovals: ({ limit, after = '', state = null, nowMs }) =>
        page.all({ after, now: nowMs, state, limit }).map(approvalFromRow),
      askApproval: ({ publicKey, deviceId, profile, address, nowMs, expiresAtMs }) => {
        if (find(publicKey, nowMs)) return 'asked'
        forget.run(nowMs)
        const { pending, mine, recent } = counts.get({ address, minuteAgo: nowMs - 60_000 }) as Record<
          'pending' | 'mine' | 'recent',
          number
        >
        const isLimited =
          pending >= approvalLimits.pending ||
          mine >= approvalLimits.pendingOfAddress ||
          recent >= approvalLimits.newOfAddressPerMinute
        if (isLimited) return 'limited'
        insert.run(publicKey, deviceId, profile, address, nowMs, expiresAtMs)
        appendAudit({ type: 'approval-asked', atMs: nowMs, about: { deviceId, publicKey, profile, address } })
        return 'asked'
      },
      decideApproval: ({ publicKey, state, labels = {}, nowMs, expiresAtMs, by }) => {
        const record = find(publicKey, nowMs)
        if (!record) return 'unknown'
        if (record.state === state) return 'decided'
        if (record.state === 'approved') return 'settled'
        const { deviceId, profile } = record
        if (state === 'approved') {
          const device = { id: deviceId, profile, dns: [], ip: [], labels, batch: undefined }
          if (!addDevice({ ...device, createdAtMs: nowMs, by })) return 'exists'
        }
        decide.run(state, nowMs, expiresAtMs, publicKey)
        appendAudit({ type: `approval-${state}`, atMs: nowMs, by, about: { deviceId, publicKey, profile } })
        return 'decided'
      },
    },
  }
}

function approvalFromRow(row: unknown): ApprovalRecord {
  const approval = row as ApprovalRow
  return {
    publicKey: approval.public_key,
    deviceId: approval.device_id,
    profile: approval.profile,
    state: approval.state,
    address: approval.address,
    askedAtMs: approval.asked_at,
    ...(approval.decided_at !== null && { decidedAtMs: approval.decided_at }),
    expiresAtMs: approval.expires_at,
    ...(approval.certificate !== null && { serial: approval.certificate }),
  }
}
