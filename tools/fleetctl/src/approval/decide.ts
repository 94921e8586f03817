import type { Run } from '../command/command.ts'
import { labelsOf } from '../device/labels.ts'
import { type Approval, approvalAnswer, approvalIdOf, approvalPath } from './approval.ts'

export const approve: Run = async (input, context) => {
  const path = approvalPath(approvalIdOf(input.args[0]), '/approve')
  const body = { labels: labelsOf(input.texts('label')) }
  const server = await context.server()
  return approvalAnswer(await server.call<Approval>('cannot approve', { method: 'POST', path, body }))
}

export const deny: Run = async (input, context) => {
  const path = approvalPath(approvalIdOf(input.args[0]), '/deny')
  const server = await context.server()
  return approvalAnswer(await server.call<Approval>('cannot deny', { method: 'POST', path, body: {} }))
}
