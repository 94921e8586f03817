import type { Run } from '../command/command.ts'
import { deviceIdOf } from '../command/values.ts'
import { type Claim, claimAnswer, claimPath } from './claim.ts'

export const revokeClaim: Run = async (input, context) => {
  const id = deviceIdOf(input.args[0])
  await context.confirm(`Revoke the claim ${id} for good: no more devices enroll with it.`)
  const server = await context.server()
  const reason = input.text('reason') ?? 'unspecified'
  return claimAnswer(
    await server.call<Claim>(`cannot revoke ${id}`, {
      method: 'POST',
      path: claimPath(id, '/revoke'),
      body: { reason },
    }),
  )
}
