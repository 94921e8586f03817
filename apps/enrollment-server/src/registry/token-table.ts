import type { DatabaseSync } from 'node:sqlite'
import type { AppendAudit } from './audit-log.ts'
import { deviceColumns, deviceFromRow } from './device-table.ts'
import type { DeviceRecord, TokenRecord } from './records.ts'
import type { RegistryOperations } from './registry.ts'

interface TokenRow {
  device_id: string
  expires_at: number
  used_at: number | null
  public_key: string | null
  used_for: string | null
}

function tokenFromRow(row: TokenRow): TokenRecord {
  return {
    deviceId: row.device_id as DeviceRecord['id'],
    expiresAtMs: row.expires_at,
    ...(row.used_at !== null &&
      row.public_key !== null &&
      row.used_for !== null && {
        used: { atMs: row.used_at, publicKey: row.public_key, serial: row.used_for },
      }),
  }
}

/** The operations on tokens. Using one up belongs to the recording of a certificate (certificate-table.ts). */
export function tokenOperations(
  database: DatabaseSync,
  appendAudit: AppendAudit,
): Pick<RegistryOperations, 'addToken' | 'findToken'> {
  const insert = database.prepare(
    `INSERT INTO tokens (hash, device_id, created_at, expires_at)
     SELECT ?, id, ?, ? FROM devices WHERE id = ?`,
  )
  const byHash = database.prepare(
    `SELECT t.device_id, t.expires_at, t.used_at, t.public_key, t.certificate AS used_for, ${deviceColumns}
     FROM tokens t JOIN devices d ON d.id = t.device_id WHERE t.hash = ?`,
  )
  return {
    addToken: ({ hash, deviceId, createdAtMs, expiresAtMs, by }) => {
      if (insert.run(hash, createdAtMs, expiresAtMs, deviceId).changes !== 1) return false
      // The hash says which of a device's tokens it was, and gives nothing away.
      const about = { deviceId, tokenHash: hash, expiresAt: new Date(expiresAtMs).toISOString() }
      appendAudit({ type: 'token-made', atMs: createdAtMs, by, about })
      return true
    },
    findToken: (hash) => {
      const row = byHash.get(hash)
      return row && { token: tokenFromRow(row as unknown as TokenRow), device: deviceFromRow(row) }
    },
  }
}
