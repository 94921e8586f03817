import type { Run } from '../command/command.ts'
import { namesOf } from '../command/names.ts'
import { serialOf } from '../command/values.ts'
import { resultsAnswer, revokeAll } from '../revocation/batch.ts'

export const revokeCertificates: Run = async (input, context) => {
  const serials = await namesOf(input, context, { what: 'SERIAL', parse: serialOf })
  const reason = input.text('reason') ?? 'unspecified'
  const [first = '', ...more] = serials
  const what = more.length === 0 ? `the certificate ${first}` : `${serials.length} certificates`
  await context.confirm(`Revoke ${what} for good (${reason}).`)
  const server = await context.server()
  if (more.length > 0) return revokeAll(server, 'serial', serials, { reason, context })
  await server.call(`cannot revoke ${first}`, {
    method: 'POST',
    path: `/v1/certificates/${first}/revoke`,
    body: { reason },
  })
  return resultsAnswer('serial', [[first, { status: 'revoked' }]])
}
