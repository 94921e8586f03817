import { deviceIdPattern, parseDeviceId, type Profile } from '@fleetroot/pki'
import { z } from 'zod'
import { either } from './complaint.ts'
import { isManufacturerSerial } from '../admission/idevid.ts'
import { isHostName, isIpAddress } from '../config/names.ts'
import { registrableProfiles } from '../config/profiles.ts'
import { certificateStatuses, deviceStates, type DeviceRecord } from '../registry/records.ts'

/** A device id in a request, parsed into the branded type. */
export const deviceId = z
  .string()
  .regex(deviceIdPattern, {
    error: 'must be 1 to 64 letters, digits, ".", "_" or "-", and begin with a letter or a digit',
    abort: true,
  })
  .transform(parseDeviceId)

/** The name of a production batch. */
export const batchName = z.string().regex(deviceIdPattern, {
  error: 'must be 1 to 64 letters, digits, ".", "_" or "-", and begin with a letter or a digit',
})

const dnsName = z
  .string({ error: 'must be a string' })
  .refine(isHostName, { error: 'must be a host name without wildcards, such as broker.example' })

const ipAddress = z
  .string({ error: 'must be a string' })
  .refine(isIpAddress, { error: 'must be an IPv4 or IPv6 address' })

/** What a manufacturer calls a device. */
const idevid = z
  .strictObject({
    manufacturer: z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/, {
      error: 'must be the name of a configured manufacturer: 1 to 32 lower-case letters, digits or "-"',
    }),
    serialNumber: z
      .string()
      .refine(isManufacturerSerial, { error: 'must be 1 to 64 printable characters of ASCII' }),
  })
  .meta({
    description: 'Its certificate from the factory: of which manufacturer, and the serialNumber or CN there',
  })

/** Labels that an operator gives a device. */
export const labels = z
  .record(z.string().min(1).max(63), z.string().max(256))
  .refine((all) => Object.keys(all).length <= 32, { error: 'must be at most 32' })

/** What a device is registered with; the profile is one of those configured. */
export function newDevice(profiles: ReadonlyMap<string, Profile>) {
  const names = registrableProfiles(profiles).map(({ name }) => name)
  return z.strictObject({
    id: deviceId,
    profile: z.enum(names, { error: `must be ${either(names)}` }).default('device'),
    dns: z.array(dnsName).max(32, { error: 'must be at most 32' }).default([]),
    ip: z.array(ipAddress).max(32, { error: 'must be at most 32' }).default([]),
    labels: labels.default({}),
    batch: batchName.optional().meta({ description: 'The production batch whose claims may enroll it' }),
    idevid: idevid.optional(),
  })
}

/** A device as the API shows it. */
export const device = z
  .object({
    id: z.string(),
    profile: z.string(),
    state: z.enum(deviceStates),
    dns: z.array(z.string()),
    ip: z.array(z.string()),
    labels: z.record(z.string(), z.string()),
    batch: z.string().optional(),
    idevid: z.object({ manufacturer: z.string(), serialNumber: z.string() }).optional(),
    createdAt: z.iso.datetime(),
    certificate: z
      .object({ serial: z.string(), notAfter: z.iso.datetime(), status: z.enum(certificateStatuses) })
      .optional(),
  })
  .meta({ description: 'A device of the inventory' })

/** The record of a device as the API shows it. */
export function showDevice(record: DeviceRecord): z.input<typeof device> {
  const { id, profile, state, dns, ip, labels, batch, idevid, createdAtMs, certificate } = record
  return {
    id,
    profile,
    state,
    dns: [...dns],
    ip: [...ip],
    labels: { ...labels },
    ...(batch !== undefined && { batch }),
    ...(idevid && { idevid: { ...idevid } }),
    createdAt: isoTime(createdAtMs),
    ...(certificate && {
      certificate: {
        serial: certificate.serial,
        notAfter: isoTime(certificate.notAfterMs),
        status: certificate.status,
      },
    }),
  }
}

/** A time as the API shows it: ISO 8601 in UTC. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString()
}
