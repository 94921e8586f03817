import type { Run } from '../command/command.ts'
import { deviceIdOf, secondsOf } from '../command/values.ts'
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
  const token = await server.call<Token>(`cannot make a token for ${id}`, {
    method: 'POST',
    path: devicePath(id, '/tokens'),
    body: { ...(expiresInSeconds !== undefined && { expiresInSeconds }) },
  })
  return {
    kind: 'text',
    json: token,
    text: token.token,
    note: `for ${token.deviceId}, once, until ${token.expiresAt}`,
  }
}
