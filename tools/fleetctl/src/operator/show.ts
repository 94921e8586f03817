import type { Run } from '../command/command.ts'
import { serverFiles } from '../server/files.ts'
import { loadOperator } from '../server/identity.ts'
import { identityAnswer } from './identity-answer.ts'

export const showOperator: Run = async (input, { env, now }) => {
  const files = serverFiles(input, env)
  return identityAnswer(loadOperator(files, now()), files)
}
