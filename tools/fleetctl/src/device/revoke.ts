import type { Run } from '../command/command.ts'
import { namesOf } from '../command/names.ts'
import { deviceIdOf } from '../command/values.ts'
import { revokeAll } from '../revocation/batch.ts'
import { devicePath } from './device.ts'

export const revokeDevices: Run = async (input, context) => {
  const ids = await namesOf(input, context, { what: 'ID', parse: deviceIdOf })
  const reason = input.text('reason') ?? 'unspecified'
  const [first = '', ...more] = ids
  const what = more.length === 0 ? first : `${ids.length} devices`
  await context.confirm(
    `Revoke all certificates of ${what} (${reason}): sessions end, tokens made until now too, and a new token is needed to come back.`,
  )
  const server = await context.server()
  // One that is not known is an error, as everywhere; among many it is a line of the answer.
  if (more.length === 0) {
    await server.call(`cannot revoke ${first}`, { method: 'GET', path: devicePath(first) })
  }
  return revokeAll(server, 'deviceId', ids, { reason, context })
}
