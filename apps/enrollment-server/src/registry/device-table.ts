import type { DatabaseSync } from 'node:sqlite'
import type { AppendAudit } from './audit-log.ts'
import { certificateStatus } from './certificate-row.ts'
import type { CertificateStatus, DeviceRecord, DeviceState } from './records.ts'
import type { RegistryOperations } from './registry.ts'

interface DeviceRow {
  id: string
  profile: string
  state: DeviceState
  dns: string
  ip: string
  labels: string
  batch: string | null
  manufacturer: string | null
  manufacturer_serial: string | null
  created_at: number
  certificate: string | null
  not_after: number | null
  certificate_status: CertificateStatus | null
}

/** The columns of a device, for a SELECT that joins it. */
export const deviceColumns = `d.id, d.profile, d.state, d.dns, d.ip, d.labels, d.batch, d.manufacturer,
  d.manufacturer_serial, d.created_at, d.certificate, d.not_after,
  (SELECT ${certificateStatus} FROM certificates c LEFT JOIN revocations r ON r.serial = c.serial
   WHERE c.serial = d.certificate) AS certificate_status`

/** A row selected with {@link deviceColumns}, as a record. Ids were parsed before they were stored. */
export function deviceFromRow(row: unknown): DeviceRecord {
  const device = row as DeviceRow
  return {
    id: device.id as DeviceRecord['id'],
    profile: device.profile,
    state: device.state,
    dns: JSON.parse(device.dns) as string[],
    ip: JSON.parse(device.ip) as string[],
    labels: JSON.parse(device.labels) as Record<string, string>,
    ...(device.batch !== null && { batch: device.batch }),
    ...(device.manufacturer !== null &&
      device.manufacturer_serial !== null && {
        idevid: { manufacturer: device.manufacturer, serialNumber: device.manufacturer_serial },
      }),
    createdAtMs: device.created_at,
    ...(device.certificate !== null &&
      device.not_after !== null &&
      device.certificate_status !== null && {
        certificate: {
          serial: device.certificate,
          notAfterMs: device.not_after,
          status: device.certificate_status,
        },
      }),
  }
}

/** The operations on devices, with their statements prepared once. */
export function deviceOperations(
  database: DatabaseSync,
  appendAudit: AppendAudit,
): Pick<
  RegistryOperations,
  'addDevice' | 'findDevice' | 'findDeviceOfManufacturer' | 'listDevices' | 'renameDevice'
> {
  const insert = database.prepare(
    `INSERT INTO devices (id, profile, state, dns, ip, labels, batch, manufacturer, manufacturer_serial, created_at)
     VALUES (?, ?, 'registered', ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
  )
  const byId = database.prepare(`SELECT ${deviceColumns} FROM devices d WHERE id = ?`)
  const byManufacturer = database.prepare(
    `SELECT ${deviceColumns} FROM devices d WHERE manufacturer = ? AND manufacturer_serial = ?`,
  )
  const page = database.prepare(`SELECT ${deviceColumns} FROM devices d WHERE id > ? ORDER BY id LIMIT ?`)
  const pageOfState = database.prepare(
    `SELECT ${deviceColumns} FROM devices d WHERE state = ? AND id > ? ORDER BY id LIMIT ?`,
  )
  const filtered = database.prepare(
    `SELECT ${deviceColumns} FROM devices d WHERE id > :after AND (:state IS NULL OR state = :state)
       AND (:profile IS NULL OR profile = :profile)
       AND (:among IS NULL OR profile IN (SELECT value FROM json_each(:among)))
       AND (:without IS NULL OR profile NOT IN (SELECT value FROM json_each(:without)))
     ORDER BY id LIMIT :limit`,
  )
  const rename = database.prepare('UPDATE devices SET dns = ?, ip = ? WHERE id = ?')
  return {
    addDevice: ({ id, profile, dns, ip, labels, batch, idevid, createdAtMs, by }) => {
      const texts = [dns, ip, labels].map((value) => JSON.stringify(value))
      const { manufacturer = null, serialNumber = null } = idevid ?? {}
      const added = insert.run(id, profile, ...texts, batch ?? null, manufacturer, serialNumber, createdAtMs)
      if (added.changes !== 1) return false
      const about = {
        deviceId: id,
        profile,
        dns,
        ip,
        labels,
        ...(batch !== undefined && { batch }),
        ...(idevid && { idevid }),
      }
      appendAudit({ type: 'registered', atMs: createdAtMs, by, about })
      return true
    },
    findDeviceOfManufacturer: ({ manufacturer, serialNumber }) => {
      const row = byManufacturer.get(manufacturer, serialNumber)
      return row && deviceFromRow(row)
    },
    findDevice: (id) => {
      const row = byId.get(id)
      return row && deviceFromRow(row)
    },
    // Every id sorts after the empty string.
    listDevices: ({ limit, after = '', state, profile, among, without }) => {
      if (profile !== undefined || among || without) {
        const json = (names: readonly string[] | undefined) => (names ? JSON.stringify(names) : null)
        const lists = { among: json(among), without: json(without) }
        return filtered
          .all({ limit, after, state: state ?? null, profile: profile ?? null, ...lists })
          .map(deviceFromRow)
      }
      const rows = state === undefined ? page.all(after, limit) : pageOfState.all(state, after, limit)
      return rows.map(deviceFromRow)
    },
    renameDevice: ({ id, dns, ip }) => rename.run(JSON.stringify(dns), JSON.stringify(ip), id).changes === 1,
  }
}
