import type { DatabaseSync } from 'node:sqlite'
import type { CertificateRecord, CertificateStatus, DeviceRecord, DeviceState } from './records.ts'
import type { NewCertificate, RecordOutcome, RegistryOperations } from './registry.ts'

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
}

function certificateFromRow(row: unknown): CertificateRecord {
  const certificate = row as CertificateRow
  return {
    serial: certificate.serial,
    deviceId: certificate.device_id as DeviceRecord['id'],
    profile: certificate.profile,
    issuer: certificate.issuer,
    publicKey: certificate.public_key,
    notBeforeMs: certificate.not_before,
    notAfterMs: certificate.not_after,
    status: certificate.status,
    issuedAtMs: certificate.issued_at,
    der: certificate.der,
  }
}

/** The operations on certificates. */
export function certificateOperations(
  database: DatabaseSync,
): Pick<RegistryOperations, 'findCertificate' | 'findKeyHolder' | 'recordCertificate'> {
  const bySerial = database.prepare('SELECT * FROM certificates WHERE serial = ?')
  const keyHolder = database.prepare('SELECT device_id FROM certificates WHERE public_key = ? LIMIT 1')
  const otherHolder = database.prepare(
    'SELECT 1 FROM certificates WHERE public_key = ? AND device_id <> ? LIMIT 1',
  )
  const stateOf = database.prepare('SELECT state FROM devices WHERE id = ?')
  const insert = database.prepare(
    `INSERT INTO certificates
       (serial, device_id, profile, issuer, public_key, not_before, not_after, status, issued_at, der)
     VALUES (?, ?, ?, ?, ?, ?, ?, 'issued', ?, ?)`,
  )
  const noteOnDevice = database.prepare(
    `UPDATE devices SET certificate = ?, not_after = ?,
       state = CASE state WHEN 'registered' THEN 'enrolled' ELSE state END WHERE id = ?`,
  )
  // The one statement that makes a one-time token one-time: of many that run it, one changes a row.
  const consume = database.prepare(
    `UPDATE tokens SET used_at = ?, public_key = ?, certificate = ?
     WHERE hash = ? AND device_id = ? AND used_at IS NULL AND expires_at > ?`,
  )
  const tokenByHash = database.prepare('SELECT used_at, public_key, certificate FROM tokens WHERE hash = ?')

  /** Why a token could not be consumed, or the certificate it was consumed for by the same key. */
  function explainUnconsumed(input: NewCertificate, tokenHash: string): RecordOutcome {
    const { certificate, retryWindowMs } = input
    const token = tokenByHash.get(tokenHash)
    if (!token || typeof token['used_at'] !== 'number') return { outcome: 'refused', code: 'token-expired' }
    const recent = token['used_at'] > certificate.issuedAtMs - retryWindowMs
    const winner = bySerial.get(token['certificate'] ?? null)
    return recent && winner && token['public_key'] === certificate.publicKey
      ? { outcome: 'repeated', certificate: certificateFromRow(winner) }
      : { outcome: 'refused', code: 'token-used' }
  }

  return {
    findCertificate: (serial) => {
      const row = bySerial.get(serial)
      return row && certificateFromRow(row)
    },
    findKeyHolder: (publicKey) => keyHolder.get(publicKey)?.['device_id'] as DeviceRecord['id'] | undefined,
    recordCertificate: (input) => {
      const { certificate, tokenHash } = input
      const { serial, deviceId, publicKey, issuedAtMs, notBeforeMs, notAfterMs } = certificate
      // Refusals that write nothing come before the statement that consumes the token.
      const state = stateOf.get(deviceId)?.['state'] as DeviceState | undefined
      if (state === undefined) return { outcome: 'refused', code: 'device-unknown' }
      if (state === 'suspended' || state === 'retired') return { outcome: 'refused', code: 'device-inactive' }
      if (otherHolder.get(publicKey, deviceId)) return { outcome: 'refused', code: 'key-in-use' }
      if (tokenHash !== undefined) {
        const { changes } = consume.run(issuedAtMs, publicKey, serial, tokenHash, deviceId, issuedAtMs)
        if (changes !== 1) return explainUnconsumed(input, tokenHash)
      }
      const { profile, issuer, der } = certificate
      insert.run(serial, deviceId, profile, issuer, publicKey, notBeforeMs, notAfterMs, issuedAtMs, der)
      noteOnDevice.run(serial, notAfterMs, deviceId)
      return { outcome: 'recorded' }
    },
  }
}
