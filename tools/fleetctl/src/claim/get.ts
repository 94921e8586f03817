import type { Run } from '../command/command.ts'
import { deviceIdOf } from '../command/values.ts'
import { type Claim, claimAnswer, claimPath } from './claim.ts'

export const getClaim: Run = async (input, context) => {
  const id = deviceIdOf(input.args[0])
  const server = await context.server()
  return claimAnswer(await server.call<Claim>(`cannot show ${id}`, { method: 'GET', path: claimPath(id) }))
}
