import { DeviceClientError } from '@fleetroot/device-client'
import type { Run } from '../command/command.ts'
import { FleetctlError } from '../error.ts'
import { serverFiles } from '../server/files.ts'
import { loadOperator } from '../server/identity.ts'
import { renewOperator } from '../server/renewal.ts'
import { identityAnswer } from './identity-answer.ts'

export const renew: Run = async (input, { env, now }) => {
  const files = serverFiles(input, env)
  try {
    return identityAnswer(await renewOperator(loadOperator(files, now()), files, now()), files)
  } catch (error) {
    if (!(error instanceof DeviceClientError)) throw error
    const code =
      error.code === 'network-failed' || error.code === 'timed-out' ? 'server-unreachable' : 'refused'
    throw new FleetctlError(code, `cannot renew the operator certificate: ${error.message}`, { cause: error })
  }
}
