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
  status: CertificateStatus
  issued_at: number
  der: Uint8Array
  reason: RevocationReason | null
  revoked_at: number | null
}

/** A SELECT of certificates as {@link certificateFromRow} takes them; a WHERE may follow. */
export const selectCertificates = `SELECT c.*, r.reason, r.revoked_at
  FROM certificates c LEFT JOIN revocations r ON r.serial = c.serial`

/** A row of {@link selectCertificates}, as a record. A hold that was taken off has no reason any more. */
export function certificateFromRow(row: unknown): CertificateRecord {
  const certificate = row as CertificateRow
  const { reason, revoked_at: revokedAtMs } = certificate
  const isRevoked = reason !== null && revokedAtMs !== null
  return {
    serial: certificate.serial,
    deviceId: certificate.device_id as DeviceRecord['id'],
    profile: certificate.profile,
    issuer: certificate.issuer,
    publicKey: certificate.public_key,
    notBeforeMs: certificate.not_before,
    notAfterMs: certificate.not_after,
    status: isRevoked ? (reason === 'certificateHold' ? 'held' : 'revoked') : certificate.status,
    ...(isRevoked && { revocation: { atMs: revokedAtMs, reason } }),
    issuedAtMs: certificate.issued_at,
    der: certificate.der,
  }
}
