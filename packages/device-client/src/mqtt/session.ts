import type { TLSSocket } from 'node:tls'

import { connect, type IClientOptions, MqttClient } from 'mqtt'

import { DeviceClientError } from '../error.ts'
import { connectionFailure } from '../https/failure.ts'
import { connackFailure } from './connack.ts'
import { closedByPeer, goodbye, withHint } from './ending.ts'
import type { Message, QoS, Will } from './message.ts'
import type { Publication } from './outbox.ts'
import type { PacketIds } from './packet-ids.ts'
import { type BrokerTls, openTlsSocket } from './tls-socket.ts'

/** What one connection needs. */
export interface SessionOptions {
  url: URL
  tls: BrokerTls
  clientId: string
  clean: boolean
  keepaliveSeconds: number
  connectTimeoutMs: number
  will: Will | undefined
  packetIds: PacketIds
  onMessage: (message: Message) => void
  signal: AbortSignal
  /** An open TLS connection to the broker, made with `tls`; left out, one is made. */
  socket?: TLSSocket | undefined
}

/** Longer than any packet that the broker forwards; a WebSocket message may hold several. */
const MAX_WEBSOCKET_MESSAGE_BYTES = 1024 * 1024

/** Why a connection ended: the first reason counts, and what `end` brings about needs none. */
interface Fate {
  reason?: DeviceClientError
  ending: boolean
}

/** One MQTT connection, from CONNACK to the end of its socket. It never reconnects. */
export class Session {
  /** The broker kept our subscriptions and queued messages (MQTT 3.1.1 section 3.2.2.2). */
  readonly sessionPresent: boolean
  readonly socket: TLSSocket
  /** Resolves with the reason when the connection has ended; undefined after `end`. Never rejects. */
  readonly ended: Promise<DeviceClientError | undefined>
  readonly #client: MqttClient
  readonly #packetIds: PacketIds
  readonly #fate: Fate

  constructor(parts: {
    client: MqttClient
    socket: TLSSocket
    sessionPresent: boolean
    ended: Promise<DeviceClientError | undefined>
    fate: Fate
    packetIds: PacketIds
  }) {
    this.#client = parts.client
    this.#packetIds = parts.packetIds
    this.#fate = parts.fate
    this.socket = parts.socket
    this.sessionPresent = parts.sessionPresent
    this.ended = parts.ended
  }

  /** Sends; calls back on PUBACK (QoS 1) or when the socket took it (QoS 0), and not at all if that never comes. */
  publish(publication: Publication, onDone: () => void): void {
    const { topic, qos, retain } = publication
    const payload =
      typeof publication.payload === 'string' ? publication.payload : Buffer.from(publication.payload)
    const onResult = (error?: Error | null) => {
      if (!error) onDone()
    }
    const send = (dup: boolean) => this.#client.publish(topic, payload, { qos, retain, dup }, onResult)
    const again = publication.sends > 0
    publication.sends += 1
    if (qos === 0) {
      send(false)
      return
    }
    if (publication.packetId === 0) publication.packetId = this.#packetIds.take()
    this.#packetIds.using(publication.packetId, () => send(again))
  }

  /**
   * Gives the granted QoS. Throws DeviceClientError `subscribe-refused` (SUBACK 128 [MQTT-3.9.3-2]) or
   * `connection-lost`.
   */
  async subscribe(filter: string, qos: QoS): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#client.subscribe(filter, { qos }, (error, _grants, suback) => {
        const granted = suback?.granted[0]
        if (typeof granted !== 'number') {
          const why = error?.message ?? 'no SUBACK'
          reject(new DeviceClientError('connection-lost', `no answer to SUBSCRIBE ${filter} (${why})`))
        } else if (granted > 2) {
          const fix = 'the policy must allow this identity the whole filter'
          reject(
            new DeviceClientError('subscribe-refused', `the broker refused to subscribe ${filter}: ${fix}`),
          )
        } else {
          resolve(granted)
        }
      })
    })
  }

  /** Throws DeviceClientError `connection-lost`. */
  async unsubscribe(filter: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#client.unsubscribe(filter, (error) => {
        if (error) reject(new DeviceClientError('connection-lost', `no answer to UNSUBSCRIBE ${filter}`))
        else resolve()
      })
    })
  }

  /** DISCONNECT, then close_notify; cut after `timeoutMs` if the broker does not close its side. */
  async end(timeoutMs: number): Promise<void> {
    const deadline = setTimeout(() => this.destroy(goodbye()), timeoutMs)
    this.#fate.ending = true
    // MQTT.js would wait for their acknowledgements for ever.
    for (const id of Object.keys(this.#client.outgoing)) this.#client.removeOutgoingMessage(Number(id))
    this.#client.end(false)
    await this.ended
    clearTimeout(deadline)
  }

  /** Cuts the connection. */
  destroy(reason: DeviceClientError): void {
    this.#fate.reason ??= reason
    this.#client.stream.destroy()
    this.socket.destroy()
  }
}

/**
 * TLS, then CONNECT, then waits for CONNACK. Throws DeviceClientError `network-failed`, `tls-failed`,
 * `timed-out`, `aborted`, `connect-refused` (the broker's return code in `status`), `server-failed` (return
 * code 3) or `connection-lost`.
 */
export async function openSession(options: SessionOptions): Promise<Session> {
  const { url, connectTimeoutMs, signal } = options
  const socket = options.socket ?? (await openTlsSocket(url, options.tls, connectTimeoutMs, signal))
  if (signal.aborted || socket.destroyed) {
    socket.destroy()
    throw signal.aborted ? goodbye() : withHint(closedByPeer(url.host))
  }
  const fate: Fate = { ending: false }
  // TLS 1.3 lets us finish before the server has looked at our certificate: its refusal arrives as an alert here.
  socket.on('error', (error) => {
    fate.reason ??= connectionFailure(error, url.host)
  })
  const client = startMqtt(options, socket)
  const destroy = (reason: DeviceClientError) => {
    fate.reason ??= reason
    client.stream.destroy()
    socket.destroy()
  }
  const onAbort = () => destroy(goodbye())
  signal.addEventListener('abort', onAbort, { once: true })
  const { promise: connected, resolve, reject } = Promise.withResolvers<boolean>()
  client.on('connect', ({ sessionPresent }) => resolve(sessionPresent))
  client.on('message', (topic, payload, { qos, retain, dup }) => {
    options.onMessage({ topic, payload, qos, retain, duplicate: dup })
  })
  client.stream.on('error', (error) => {
    fate.reason ??= new DeviceClientError(
      'connection-lost',
      `connection to ${url.host} broke (${error.message})`,
      {
        cause: error,
      },
    )
  })
  // A protocol error leaves MQTT.js with an open socket and a stuck parser.
  client.on('error', (error) => destroy(connackFailure(error, url.host)))
  const ended = new Promise<DeviceClientError | undefined>((resolveEnded) => {
    client.once('close', () => {
      signal.removeEventListener('abort', onAbort)
      const lost = fate.ending ? undefined : (fate.reason ?? closedByPeer(url.host))
      reject(lost ? withHint(lost) : goodbye())
      resolveEnded(lost)
      socket.destroy()
    })
  })
  const sessionPresent = await connected
  return new Session({ client, socket, sessionPresent, ended, fate, packetIds: options.packetIds })
}

function startMqtt(options: SessionOptions, socket: TLSSocket): MqttClient {
  const { url, will } = options
  const mqtt: IClientOptions = {
    protocolVersion: 4,
    clientId: options.clientId,
    clean: options.clean,
    keepalive: options.keepaliveSeconds,
    connectTimeout: options.connectTimeoutMs,
    // Reconnecting, resubscribing and keeping unsent messages is the business of DeviceConnection.
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    messageIdProvider: options.packetIds,
    timerVariant: 'native',
    log: () => undefined,
    ...(will === undefined
      ? {}
      : {
          will: {
            topic: will.topic,
            payload: typeof will.payload === 'string' ? will.payload : Buffer.from(will.payload),
            qos: will.qos ?? 1,
            retain: will.retain ?? false,
          },
        }),
  }
  if (url.protocol === 'mqtts:') return new MqttClient(() => socket, mqtt)
  return connect({
    ...mqtt,
    protocol: 'wss',
    hostname: url.hostname,
    port: Number(url.port || 443),
    path: url.pathname,
    wsOptions: {
      // The socket that was verified, and no other way to get one.
      createConnection: () => socket,
      perMessageDeflate: false,
      maxPayload: MAX_WEBSOCKET_MESSAGE_BYTES,
      handshakeTimeout: options.connectTimeoutMs,
    },
  })
}
