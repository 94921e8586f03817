import type { DatabaseSync } from 'node:sqlite'
import type { DeviceId } from '@fleetroot/pki'
import type { AppendAudit } from './audit-log.ts'
import type { Actor, ClaimRecord, ClaimUse, DeviceState } from './records.ts'
import type { NewCertificate, RecordOutcome } from './registry.ts'

/** The operations on claims. */
export interface ClaimOperations {
  /**
   * Adds a claim, and its identity of the profile `claim`. `unfinished`: it exists with the same batch and quota, and
   * has no certificate yet, so that whoever was interrupted can go on. `exists`: the id is in the inventory.
   */
  addClaim(claim: {
    id: DeviceId
    batch: string
    quota: number
    createdAtMs: number
    by: Actor
  }): 'added' | 'unfinished' | 'exists'
  findClaim(id: DeviceId): ClaimRecord | undefined
  /** Claims in the order of their ids. */
  listClaims(page: { limit: number; after?: string }): ClaimRecord[]
  /** What enrolled a device, if a claim did. */
  findClaimUse(deviceId: DeviceId): ClaimUse | undefined
}

/** Uses a claim up, within the transaction that records the certificate. Undefined: it was good, and is used. */
export type UseClaim = (
  input: NewCertificate,
) => Exclude<RecordOutcome, { outcome: 'repeated' }> | ClaimUse | undefined

interface ClaimRow {
  id: string
  batch: string
  quota: number
  used: number
  created_at: number
  state: DeviceState
  certificate: string | null
  not_after: number | null
  reason: string | null
}

/** The claims of a registry. */
export function createClaimTable(
  database: DatabaseSync,
  appendAudit: AppendAudit,
): { use: UseClaim; operations: ClaimOperations } {
  const select = `SELECT k.*, d.state, d.certificate, d.not_after, r.reason FROM claims k
    JOIN devices d ON d.id = k.id LEFT JOIN revocations r ON r.serial = d.certificate`
  const byId = database.prepare(`${select} WHERE k.id = ?`)
  const page = database.prepare(`${select} WHERE k.id > ? ORDER BY k.id LIMIT ?`)
  const insertIdentity = database.prepare(
    `INSERT INTO devices (id, profile, state, dns, ip, labels, created_at)
     VALUES (?, 'claim', 'registered', '[]', '[]', '{}', ?) ON CONFLICT (id) DO NOTHING`,
  )
  const insert = database.prepare(
    'INSERT INTO claims (id, batch, quota, used, created_at) VALUES (?, ?, ?, 0, ?)',
  )
  const useOf = database.prepare('SELECT * FROM claim_uses WHERE device_id = ?')
  const claimed = database.prepare('SELECT state, batch FROM devices WHERE id = ?')
  const reasonOf = database.prepare('SELECT reason FROM revocations WHERE serial = ?')
  // The one statement that keeps the quota: of many that run it, as many change a row as are left.
  const take = database.prepare('UPDATE claims SET used = used + 1 WHERE id = ? AND used < quota')
  const note = database.prepare(
    'INSERT INTO claim_uses (device_id, claim, used_at, public_key, certificate) VALUES (?, ?, ?, ?, ?)',
  )

  const findClaim = (id: DeviceId): ClaimRecord | undefined => {
    const row = byId.get(id)
    return row && claimFromRow(row)
  }
  const findClaimUse = (deviceId: DeviceId): ClaimUse | undefined => {
    const row = useOf.get(deviceId)
    return row && useFromRow(row)
  }

  return {
    use: ({ certificate, claim: presented, retryWindowMs }) => {
      if (!presented) return undefined
      const refuse = (code: Extract<RecordOutcome, { outcome: 'refused' }>['code']) =>
        ({ outcome: 'refused', code }) as const
      const { serial, deviceId, publicKey, issuedAtMs } = certificate
      const claim = findClaim(presented.id)
      const isActive = claim && claim.state !== 'suspended' && claim.state !== 'retired'
      if (!isActive || (reasonOf.get(presented.serial)?.['reason'] ?? null) !== null) {
        return refuse('certificate-inactive')
      }
      const device = claimed.get(deviceId)
      if (device?.['batch'] !== claim.batch) return refuse('claim-not-for-device')
      if (device['state'] !== 'registered') {
        const use = findClaimUse(deviceId)
        const isRetry =
          use?.claim === claim.id && use.publicKey === publicKey && use.atMs > issuedAtMs - retryWindowMs
        return isRetry ? use : refuse('device-enrolled')
      }
      if (take.run(claim.id).changes !== 1) return refuse('claim-exhausted')
      note.run(deviceId, claim.id, issuedAtMs, publicKey, serial)
      return undefined
    },
    operations: {
      findClaim,
      findClaimUse,
      listClaims: ({ limit, after = '' }) => page.all(after, limit).map(claimFromRow),
      addClaim: ({ id, batch, quota, createdAtMs, by }) => {
        const known = findClaim(id)
        if (known) {
          const isSame = known.batch === batch && known.quota === quota
          return isSame && !known.certificate ? 'unfinished' : 'exists'
        }
        if (insertIdentity.run(id, createdAtMs).changes !== 1) return 'exists'
        insert.run(id, batch, quota, createdAtMs)
        appendAudit({ type: 'claim-made', atMs: createdAtMs, by, about: { deviceId: id, batch, quota } })
        return 'added'
      },
    },
  }
}

function claimFromRow(row: unknown): ClaimRecord {
  const { id, batch, quota, used, created_at, state, certificate, not_after, reason } = row as ClaimRow
  return {
    id: id as DeviceId,
    batch,
    quota,
    used,
    createdAtMs: created_at,
    state,
    ...(certificate !== null &&
      not_after !== null && {
        certificate: {
          serial: certificate,
          notAfterMs: not_after,
          isRevoked: reason !== null && reason !== 'certificateHold',
        },
      }),
  }
}

function useFromRow(row: Record<string, unknown>): ClaimUse {
  const { claim, used_at, public_key, certificate } = row as {
    claim: DeviceId
    used_at: number
    public_key: string
    certificate: string
  }
  return { claim, atMs: used_at, publicKey: public_key, serial: certificate }
}
