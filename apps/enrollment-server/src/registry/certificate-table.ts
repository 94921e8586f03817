import type { DatabaseSync } from 'node:sqlite'
import type { UseApproval } from './approval-table.ts'
import { type AppendAudit, auditedCsr } from './audit-log.ts'
import { certificateFromRow, selectCertificates } from './certificate-row.ts'
import type { UseClaim } from './claim-table.ts'
import type { AppendEvent } from './event-log.ts'
import type { Actor, DeviceRecord, DeviceState } from './records.ts'
import type { NoteSuccession } from './succession-table.ts'
import type { CertificatePage, NewCertificate, RecordOutcome, RegistryOperations } from './registry.ts'

/**
 * How many certificates that are good a device may get by renewing. It needs two. Without a limit whoever has the key of one
 * device could fill the revocation list, the event and the audit record of its end, until no broker can read them.
 */
const mostGood = 100

/** The operations on certificates. */
export function certificateOperations(
  database: DatabaseSync,
  {
    appendEvent,
    appendAudit,
    useClaim,
    useApproval,
    noteSuccession,
  }: {
    appendEvent: AppendEvent
    appendAudit: AppendAudit
    useClaim: UseClaim
    useApproval: UseApproval
    noteSuccession: NoteSuccession
  },
): Pick<
  RegistryOperations,
  'findCertificate' | 'findKeyHolder' | 'isLeftBehind' | 'listCertificates' | 'recordCertificate'
> {
  const bySerial = database.prepare(`${selectCertificates} WHERE c.serial = ?`)
  const keyHolder = database.prepare('SELECT device_id FROM certificates WHERE public_key = ? LIMIT 1')
  const otherHolder = database.prepare(
    'SELECT 1 FROM certificates WHERE public_key = ? AND device_id <> ? LIMIT 1',
  )
  const holder = database.prepare('SELECT state, certificate FROM devices WHERE id = ?')
  const reasonOf = database.prepare('SELECT reason FROM revocations WHERE serial = ?')
  const successorOf = database.prepare('SELECT superseded_by FROM certificates WHERE serial = ?')
  const revokedSince = database.prepare(
    `SELECT 1 FROM certificates held JOIN certificates c ON c.device_id = held.device_id
       JOIN revocations r ON r.serial = c.serial
     WHERE held.serial = ? AND c.issued_at >= held.issued_at AND r.reason <> 'certificateHold' LIMIT 1`,
  )
  // Of the newest only, so that a long history costs nothing.
  const goodOnes = database.prepare(
    `SELECT count(*) AS count FROM
       (SELECT serial, not_after FROM certificates WHERE device_id = ? ORDER BY issued_at DESC LIMIT ${mostGood}) c
       LEFT JOIN revocations r USING (serial) WHERE c.not_after > ? AND r.reason IS NULL`,
  )
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

  const isRevoked = (serial: string): boolean => {
    const reason = reasonOf.get(serial)?.['reason'] ?? null
    return reason !== null && reason !== 'certificateHold'
  }
  const isLeftBehind = (serial: string): boolean => revokedSince.get(serial) !== undefined

  return {
    findCertificate: (serial) => {
      const row = bySerial.get(serial)
      return row && certificateFromRow(row)
    },
    findKeyHolder: (publicKey) => keyHolder.get(publicKey)?.['device_id'] as DeviceRecord['id'] | undefined,
    isLeftBehind,
    listCertificates: (page) => listCertificates(database, page),
    recordCertificate: (input) => {
      const { certificate, tokenHash, renews, inGrace, byIdevid } = input
      const { serial, deviceId, publicKey, issuedAtMs, notBeforeMs, notAfterMs } = certificate
      // Refusals that write nothing come before the statement that consumes the token.
      const device = holder.get(deviceId) as { state: DeviceState; certificate: string | null } | undefined
      if (!device) return { outcome: 'refused', code: 'device-unknown' }
      if (device.state === 'suspended' || device.state === 'retired') {
        return { outcome: 'refused', code: 'device-inactive' }
      }
      // An operator makes a claim once: of several requests that make it at the same time, one.
      if (input.by !== undefined && device.certificate !== null) {
        const winner = bySerial.get(device.certificate)
        const made = winner && certificateFromRow(winner)
        return made?.publicKey === publicKey
          ? { outcome: 'repeated', certificate: made }
          : { outcome: 'refused', code: 'claim-exists' }
      }
      if (renews !== undefined && (reasonOf.get(renews)?.['reason'] ?? null) !== null) {
        return { outcome: 'refused', code: 'certificate-inactive' }
      }
      // Its successor may have connected since the request was admitted.
      if (renews !== undefined && (successorOf.get(renews)?.['superseded_by'] ?? null) !== null) {
        return { outcome: 'refused', code: 'certificate-inactive' }
      }
      if (renews !== undefined && inGrace && isLeftBehind(renews)) {
        return { outcome: 'refused', code: 'certificate-inactive' }
      }
      if (byIdevid && device.certificate !== null && isRevoked(device.certificate)) {
        return { outcome: 'refused', code: 'device-revoked' }
      }
      if ((renews !== undefined || byIdevid) && goodOnes.get(deviceId, issuedAtMs)?.['count'] === mostGood) {
        return { outcome: 'refused', code: 'renewals-limited' }
      }
      if (otherHolder.get(publicKey, deviceId)) return { outcome: 'refused', code: 'key-in-use' }
      if (tokenHash !== undefined) {
        const { changes } = consume.run(issuedAtMs, publicKey, serial, tokenHash, deviceId, issuedAtMs)
        if (changes !== 1) return explainUnconsumed(input, tokenHash)
      }
      const used = useClaim(input) ?? useApproval(input)
      if (used === 'missing') return { outcome: 'refused', code: 'approval-unknown' }
      if (used && 'outcome' in used) return used
      if (used) {
        const winner = bySerial.get(used.serial)
        if (!winner) return { outcome: 'refused', code: 'device-enrolled' }
        return { outcome: 'repeated', certificate: certificateFromRow(winner) }
      }
      const { profile, issuer, der } = certificate
      insert.run(serial, deviceId, profile, issuer, publicKey, notBeforeMs, notAfterMs, issuedAtMs, der)
      noteOnDevice.run(serial, notAfterMs, deviceId)
      // A service may run in several places at once, each with a certificate of its own; a device may not.
      const predecessor = renews ?? (kindOfIssuer(issuer) === 'device' ? device.certificate : null)
      if (predecessor !== null) noteSuccession({ serial, predecessor, issuedAtMs, notAfterMs })
      const type = tokenHash === undefined && device.certificate !== null ? 'renewed' : 'issued'
      const grace = inGrace && { inGrace }
      appendEvent({ type, atMs: issuedAtMs, deviceId, certificates: [{ issuer, serial, ...grace }] })
      appendAudit({
        type,
        atMs: issuedAtMs,
        by: input.by ?? requester(input),
        about: {
          deviceId,
          serial,
          issuer,
          profile,
          publicKey,
          protocol: input.origin?.protocol,
          ...grace,
          // Of the others the requester says it.
          ...(byIdevid && { credential: 'idevid' }),
          ...(input.approval !== undefined && { credential: 'approval' }),
          ...(input.csr && { csr: auditedCsr(input.csr) }),
        },
      })
      return { outcome: 'recorded' }
    },
  }
}

/** Who a certificate is issued to: the device itself, unless the server makes it for its own use. */
function requester({ certificate, renews, claim, origin }: NewCertificate): Actor {
  const address = origin?.address !== undefined && { address: origin.address }
  if (claim) return { kind: 'claim', ...claim, ...address }
  const isLocal = origin === undefined || origin.protocol === 'local'
  const { deviceId, profile, issuer } = certificate
  const kind = isLocal ? 'server' : profile === 'operator' ? profile : kindOfIssuer(issuer)
  return {
    kind,
    id: deviceId,
    ...(renews !== undefined && { serial: renews }),
    ...address,
  }
}

/** What a CA issues for, from its id: `services`, or `services-2` after a rotation. */
function kindOfIssuer(issuer: string): 'device' | 'service' {
  return issuer.startsWith('services') ? 'service' : 'device'
}

const conditions: Readonly<Record<NonNullable<CertificatePage['status']>, string>> = {
  issued: "r.reason IS NULL AND c.not_after > :now AND c.status = 'issued'",
  active: "r.reason IS NULL AND c.not_after > :now AND c.status = 'active'",
  superseded: "r.reason IS NULL AND c.not_after > :now AND c.status = 'superseded'",
  expired: "(r.reason IS NULL OR r.reason = 'certificateHold') AND c.not_after <= :now",
  held: "r.reason = 'certificateHold' AND c.not_after > :now",
  revoked: "r.reason <> 'certificateHold'",
}

function listCertificates(
  database: DatabaseSync,
  { limit, after = 0, deviceId, status, nowMs }: CertificatePage,
): ReturnType<RegistryOperations['listCertificates']> {
  const where = ['c.rowid > :after']
  const values: Record<string, string | number> = { after, limit: limit + 1 }
  if (deviceId !== undefined) {
    where.push('c.device_id = :device')
    values['device'] = deviceId
  }
  if (status) {
    const condition = conditions[status]
    where.push(condition)
    if (condition.includes(':now')) values['now'] = nowMs
  }
  const rows = database
    .prepare(
      `${selectCertificates.replace('c.*', 'c.rowid AS place, c.*')}
       WHERE ${where.join(' AND ')} ORDER BY c.rowid LIMIT :limit`,
    )
    .all(values)
  const items = rows.slice(0, limit)
  const next = rows.length > limit ? items.at(-1)?.['place'] : undefined
  return { items: items.map(certificateFromRow), ...(typeof next === 'number' && { next }) }
}
