import type { Run } from '../command/command.ts'
import { namesOf } from '../command/names.ts'
import { deviceIdOf } from '../command/values.ts'
import { resultsAnswer, revokeAll } from '../revocation/batch.ts'
import { devicePath } from './device.ts'

export const revokeDevices: Run = async (input, context) => {
  const ids = await namesOf(input, context, { what: 'ID', parse: deviceIdOf })
  const reason = input.text('reason') ?? 'unspecified'
  const [first = '', ...more] = ids
  const what = more.length === 0 ? first : `${ids.length} devices`
  await context.confirm(
    `Revoke all certificates of ${what} (${reason}): sessions end, and a new token is needed to come back.`,
  )
  const server = await context.server()
  if (more.length > 0) return revokeAll(server, 'deviceId', ids, { reason, context })
  await server.call(`cannot revoke ${first}`, {
    method: 'POST',
    path: devicePath(first, '/revoke'),
    body: { reason },
  })
  return resultsAnswer('deviceId', [[first, { status: 'revoked' }]])
}
