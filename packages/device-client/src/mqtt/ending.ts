import { DeviceClientError } from '../error.ts'

/** The broker ended a connection and said nothing. */
export function closedByPeer(host: string): DeviceClientError {
  return new DeviceClientError('connection-lost', `${host} closed the connection`)
}

/** An end before CONNACK: a server on Node, and not only there, refuses a client certificate by closing without an alert. */
export function withHint(lost: DeviceClientError): DeviceClientError {
  if (lost.code !== 'connection-lost' && lost.code !== 'network-failed') return lost
  const hint = 'before CONNACK, which is how some brokers refuse a certificate: see the log of the broker'
  return new DeviceClientError('connection-lost', `${lost.message} ${hint}`, { cause: lost })
}

/** The end that this side wanted. */
export function goodbye(): DeviceClientError {
  return new DeviceClientError('connection-closed', 'the connection was closed')
}
