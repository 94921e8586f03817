import type { Answer } from '../output/answer.ts'

/** A device as the server shows it, and as `--json` prints it. */
export interface Device {
  readonly id: string
  readonly profile: string
  readonly state: string
  readonly batch?: string
  readonly idevid?: { readonly manufacturer: string; readonly serialNumber: string }
  readonly dns: readonly string[]
  readonly ip: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  readonly createdAt: string
  readonly certificate?: { readonly serial: string; readonly notAfter: string; readonly status: string }
}

/** The path of a device in the REST API. */
export function devicePath(id: string, rest = ''): string {
  return `/v1/devices/${encodeURIComponent(id)}${rest}`
}

/** Labels as they are given to `device add`. */
export function showLabels(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ')
}

/** One device. */
export function deviceAnswer(device: Device): Answer {
  const { id, profile, state, batch, idevid, dns, ip, labels, createdAt, certificate } = device
  const some = (text: string): string | undefined => (text === '' ? undefined : text)
  return {
    kind: 'fields',
    json: device,
    fields: [
      ['id', id],
      ['state', state],
      ['profile', profile],
      ['batch', batch],
      ['factory', idevid && `${idevid.manufacturer}:${idevid.serialNumber}`],
      ['names', some([...dns, ...ip].join(' '))],
      ['labels', some(showLabels(labels))],
      ['registered', createdAt],
      ['certificate', certificate?.serial],
      ['status', certificate?.status],
      ['valid until', certificate?.notAfter],
    ],
  }
}
