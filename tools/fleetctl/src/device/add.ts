import type { Run } from '../command/command.ts'
import { deviceIdOf } from '../command/values.ts'
import { usageError } from '../error.ts'
import { type Device, deviceAnswer } from './device.ts'
import { labelsOf } from './labels.ts'

export const addDevice: Run = async (input, context) => {
  const id = deviceIdOf(input.args[0])
  const batch = input.text('batch')
  const idevid = idevidOf(input.text('idevid'))
  const body = {
    id,
    profile: input.text('profile') ?? 'device',
    dns: input.texts('dns'),
    ip: input.texts('ip'),
    labels: labelsOf(input.texts('label')),
    ...(batch !== undefined && { batch }),
    ...(idevid && { idevid }),
  }
  const server = await context.server()
  const device = await server.call<Device>(`cannot register ${id}`, {
    method: 'POST',
    path: '/v1/devices',
    once: true,
    body,
  })
  if (idevid) return deviceAnswer(device)
  return { ...deviceAnswer(device), note: `next, a token for it: fleetctl token create ${id}` }
}

function idevidOf(text: string | undefined): { manufacturer: string; serialNumber: string } | undefined {
  if (text === undefined) return undefined
  const at = text.indexOf(':')
  if (at < 1) {
    throw usageError(`--idevid: ${JSON.stringify(text)} must be MANUFACTURER:SERIAL, such as acme:SN-0007`)
  }
  return { manufacturer: text.slice(0, at), serialNumber: text.slice(at + 1) }
}
