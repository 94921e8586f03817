import type { RevocationReason } from '@fleetroot/pki'
import type { CertificateRecord, CertificateStatus, DeviceRecord } from './records.ts'

interface CertificateRow {
  serial: string
  device_id: string
  profile: string
  issuer: string
  public_key: string
  not_before: number
  not_after: number
  current_status: CertificateStatus
  issued_at: number
  der: Uint8Array
  superseded_by: string | null
  reason: RevocationReason | null
  revoked_at: number | null
}

/** The {@link CertificateStatus} of `certificates c` with `revocations r` joined, in SQL. */
export const certificateStatus = `CASE WHEN r.reason IS NULL THEN c.status
  WHEN r.reason = 'certificateHold' THEN 'held' ELSE 'revoked' END`

/** A SELECT of certificates as {@link certificateFromRow} takes them; a WHERE may follow. */
export const selectCertificates = `SELECT c.*, ${certificateStatus} AS current_status, r.reason, r.revoked_at
  FROM certificates c LEFT JOIN revocations r ON r.serial = c.serial`

/** A row of {@link selectCertificates}, as a record. A hold that was taken off has no reason any more. */
export function certificateFromRow(row: unknown): CertificateRecord {
  const certificate = row as CertificateRow
  const { reason, revoked_at: revokedAtMs, superseded_by: supersededBy } = certificate
  const isRevoked = reason !== null && revokedAtMs !== null
  return {
    serial: certificate.serial,
    deviceId: certificate.device_id as DeviceRecord['id'],
    profile: certificate.profile,
    issuer: certificate.issuer,
    publicKey: certificate.public_key,
    notBeforeMs: certificate.not_before,
    notAfterMs: certificate.not_after,
    status: certificate.current_status,
    ...(supersededBy !== null && { supersededBy }),
    ...(isRevoked && { revocation: { atMs: revokedAtMs, reason } }),
    issuedAtMs: certificate.issued_at,
    der: certificate.der,
  }
}
