import type { Run } from '../command/command.ts'
import { deviceIdOf } from '../command/values.ts'
import { usageError } from '../error.ts'
import { type Device, deviceAnswer } from './device.ts'

export const addDevice: Run = async (input, context) => {
  const id = deviceIdOf(input.args[0])
  const batch = input.text('batch')
  const body = {
    id,
    profile: input.text('profile') ?? 'device',
    dns: input.texts('dns'),
    ip: input.texts('ip'),
    labels: labelsOf(input.texts('label')),
    ...(batch !== undefined && { batch }),
  }
  const server = await context.server()
  const device = await server.call<Device>(`cannot register ${id}`, {
    method: 'POST',
    path: '/v1/devices',
    body,
  })
  return { ...deviceAnswer(device), note: `next, a token for it: fleetctl token create ${id}` }
}

function labelsOf(texts: readonly string[]): Record<string, string> {
  const pairs = texts.map((text): [string, string] => {
    const at = text.indexOf('=')
    if (at < 1) throw usageError(`--label: ${JSON.stringify(text)} must be KEY=VALUE, such as site=north`)
    return [text.slice(0, at), text.slice(at + 1)]
  })
  return Object.fromEntries(pairs)
}
