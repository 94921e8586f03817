import type { Run } from '../command/command.ts'
import { deviceIdOf } from '../command/values.ts'
import { type Device, deviceAnswer, devicePath } from './device.ts'

export const getDevice: Run = async (input, context) => {
  const id = deviceIdOf(input.args[0])
  const server = await context.server()
  return deviceAnswer(await server.call<Device>(`cannot show ${id}`, { method: 'GET', path: devicePath(id) }))
}
