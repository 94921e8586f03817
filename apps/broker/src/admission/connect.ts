import { allowsClientId, authorize, type Policy } from '@fleetroot/policy'
import type { Identity } from './identity.ts'

/** What admission looks at in a CONNECT packet (MQTT 3.1.1 section 3.1), as mqtt-packet names it. */
export interface ConnectRequest {
  readonly clientId: string
  readonly protocolId?: string | undefined
  readonly protocolVersion?: number | undefined
  /** Bit 7 of the level, which bridges of some brokers set; mqtt-packet takes it off the level. */
  readonly bridgeMode?: boolean | undefined
  readonly keepalive?: number | undefined
  readonly will?: { readonly topic: string; readonly retain?: boolean | undefined } | undefined
}

/** Why a CONNECT is refused. */
export type ConnectRefusalCode =
  | 'protocol-level'
  | 'client-id-empty'
  | 'client-id-foreign'
  | 'keepalive'
  | 'will-topic'
  | 'will-retain'

export type ConnectVerdict =
  | { readonly admitted: true; readonly sessionKey: string }
  | {
      readonly admitted: false
      readonly code: ConnectRefusalCode
      /** Connect return code of the CONNACK, MQTT 3.1.1 table 3.1. */
      readonly returnCode: 1 | 2 | 5
      readonly detail: string
    }

const unacceptableProtocol = 1
const identifierRejected = 2
const notAuthorized = 5

/**
 * Step 5 of admission: may this identity connect in this way? Pure. On yes, `sessionKey` is the name under
 * which the engine keeps the session: role, device id and client id. No two identities share one, so that a
 * service `a`, which may call itself `a.b`, can neither end nor inherit the session of a device `a.b`.
 */
export function admitConnect(
  policy: Policy,
  identity: Identity,
  request: ConnectRequest,
  maxKeepaliveSeconds: number,
): ConnectVerdict {
  const { clientId, protocolId, protocolVersion, bridgeMode, keepalive = 0, will } = request
  // [MQTT-3.1.2-1], [MQTT-3.1.2-2]
  if (protocolId !== 'MQTT' || protocolVersion !== 4 || bridgeMode === true) {
    const level = `${bridgeMode === true ? 'bridge ' : ''}level ${protocolVersion}`
    return refuse(
      'protocol-level',
      unacceptableProtocol,
      `protocol ${protocolId} ${level}; only MQTT level 4, MQTT 3.1.1, is spoken here`,
    )
  }
  if (clientId === '') {
    // [MQTT-3.1.3-8] would let the server invent one: a session that no policy knows.
    return refuse('client-id-empty', identifierRejected, `the client id is empty; use "${identity.id}"`)
  }
  if (!allowsClientId(policy, identity, clientId)) {
    const shown = JSON.stringify(clientId.slice(0, 80))
    return refuse(
      'client-id-foreign',
      identifierRejected,
      `the client id ${shown} is not allowed; use "${identity.id}"`,
    )
  }
  if (keepalive < 1 || keepalive > maxKeepaliveSeconds) {
    // What mosquitto answers with max_keepalive; a return code 6, as aedes sends, is unknown to 3.1.1.
    return refuse(
      'keepalive',
      identifierRejected,
      `keep alive is ${keepalive} s; it must be 1 to ${maxKeepaliveSeconds} s`,
    )
  }
  if (will !== undefined) {
    const publish = authorize(policy, identity, 'publish', will.topic)
    if (!publish.allowed) {
      return refuse('will-topic', notAuthorized, `the will topic is not allowed (${publish.reason})`)
    }
    if (will.retain === true && !authorize(policy, identity, 'retain', will.topic).allowed) {
      return refuse('will-retain', notAuthorized, 'the will may not be retained on its topic')
    }
  }
  return { admitted: true, sessionKey: `${identity.role}/${identity.id}/${clientId}` }
}

function refuse(code: ConnectRefusalCode, returnCode: 1 | 2 | 5, detail: string): ConnectVerdict {
  return { admitted: false, code, returnCode, detail }
}
