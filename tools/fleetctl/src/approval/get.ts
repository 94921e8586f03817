import type { Run } from '../command/command.ts'
import { type Approval, approvalAnswer, approvalIdOf, approvalPath } from './approval.ts'

export const getApproval: Run = async (input, context) => {
  const path = approvalPath(approvalIdOf(input.args[0]))
  const server = await context.server()
  return approvalAnswer(await server.call<Approval>('cannot show the request', { method: 'GET', path }))
}
