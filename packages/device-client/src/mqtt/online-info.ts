import type { TLSSocket } from 'node:tls'

import type { Session } from './session.ts'

/** What `online` tells. */
export interface OnlineInfo {
  /** The broker kept our subscriptions and queued messages (MQTT 3.1.1 section 3.2.2.2). */
  sessionPresent: boolean
  tlsVersion: string | null
  /** The key exchange group by its IANA name, such as `X25519MLKEM768`; undefined where TLS 1.2 resumes. */
  tlsGroup: string | undefined
  /** The TLS session was resumed: the server's chain and name were verified when that session began. */
  tlsResumed: boolean
  /** From the start of the attempt to CONNACK. */
  connectMs: number
}

/** What there is to tell about a session that has just begun. */
export function onlineInfo({ sessionPresent, socket }: Session, connectMs: number): OnlineInfo {
  return {
    sessionPresent,
    tlsVersion: socket.getProtocol(),
    tlsGroup: keyExchangeGroup(socket),
    tlsResumed: socket.isSessionReused(),
    connectMs,
  }
}

/** Clients are told by `getEphemeralKeyInfo`; its `type` is ECDH, DH or TLSGroup, and the typings lag behind. */
function keyExchangeGroup(socket: TLSSocket): string | undefined {
  const key: object | null = socket.getEphemeralKeyInfo()
  return key !== null && 'name' in key && typeof key.name === 'string' ? key.name : undefined
}
