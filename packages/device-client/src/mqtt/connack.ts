import { DeviceClientError } from '../error.ts'

/** MQTT 3.1.1 section 3.2.2.3, and what to do about each. */
const refusals: Record<number, string> = {
  1: 'it does not speak MQTT 3.1.1',
  2: 'this identity may not use this client id; by default the client id is the device id of the certificate',
  3: 'it is not available now',
  4: 'it wants a user name and password, which certificates replace here',
  5: 'this identity is not authorized; look for it in the broker’s log',
}

/** What an error of MQTT.js means: a number is the return code of a CONNACK, the rest is trouble with the protocol. */
export function connackFailure(error: Error, host: string): DeviceClientError {
  if (error instanceof DeviceClientError) return error
  const code: unknown = (error as { code?: unknown }).code
  if (error.message === 'connack timeout') {
    return new DeviceClientError('timed-out', `${host} did not answer CONNECT in time`, { cause: error })
  }
  if (typeof code === 'number' && error.message.startsWith('Connection refused')) {
    const why = refusals[code] ?? 'it gave a return code that MQTT 3.1.1 does not know'
    return new DeviceClientError(
      code === 3 ? 'server-failed' : 'connect-refused',
      `${host} refused the connection (CONNACK ${code}): ${why}`,
      { status: code, cause: error },
    )
  }
  return new DeviceClientError('connection-lost', `connection to ${host} broke (${error.message})`, {
    cause: error,
  })
}
