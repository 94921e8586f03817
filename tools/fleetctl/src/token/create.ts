import type { Run } from '../command/command.ts'
import { deviceIdOf, secondsOf } from '../command/values.ts'
import { FleetctlError } from '../error.ts'
import { devicePath } from '../device/device.ts'

interface Token {
  readonly token: string
  readonly deviceId: string
  readonly expiresAt: string
}

export const createToken: Run = async (input, context) => {
  const id = deviceIdOf(input.args[0])
  const expiresInSeconds = await secondsOf(input, 'expires')
  const server = await context.server()
  const what = `cannot make a token for ${id}`
  const token = await server
    .call<Token>(what, {
      method: 'POST',
      path: devicePath(id, '/tokens'),
      once: true,
      body: { ...(expiresInSeconds !== undefined && { expiresInSeconds }) },
    })
    .catch((error: unknown) => {
      throw lostAnswer(error, what) ?? error
    })
  return {
    kind: 'text',
    json: token,
    text: token.token,
    note: `for ${token.deviceId}, once, until ${token.expiresAt}`,
  }
}

/** The server keeps no token, and cannot say again what was lost on the way. */
function lostAnswer(error: unknown, what: string): FleetctlError | undefined {
  if (!(error instanceof FleetctlError) || error.problem?.code !== 'idempotent-answer-secret')
    return undefined
  const message = `${what}: one was made, and the answer with it was lost on the way; make another, that one ends unused`
  return new FleetctlError('refused', message, { problem: error.problem, cause: error })
}
