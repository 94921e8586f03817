import { EventEmitter } from 'node:events'
import type { TLSSocket } from 'node:tls'

import { certificateIdentity, parseCertificates } from '@fleetroot/pki'
import type { KeyAndCertificate } from '@fleetroot/tls-config'

import { DeviceClientError } from '../error.ts'
import { parseServerUrl } from '../https/url.ts'
import { fullJitterBackoff } from '../retry/backoff.ts'
import { trustPem } from '../trust/anchors.ts'
import { openAcceptedSocket } from './accepted-socket.ts'
import { AckWatch } from './ack-watch.ts'
import { checkFilter, checkTopic, type Message, type QoS } from './message.ts'
import { type OnlineInfo, onlineInfo } from './online-info.ts'
import type { MqttOptions, PublishOptions } from './options.ts'
import { Outbox } from './outbox.ts'
import { PacketIds } from './packet-ids.ts'
import { newPublication } from './publication.ts'
import { openSession, type Session } from './session.ts'
import { Subscriptions } from './subscriptions.ts'
import { type BrokerTls, brokerTls } from './tls-socket.ts'
import { closedByUs, Uplink } from './uplink.ts'

/** Events of a DeviceConnection. */
export interface DeviceConnectionEvents {
  online: [OnlineInfo]
  /** The connection ended, or an attempt failed; the next attempt comes after `retryInMs`. */
  offline: [reason: DeviceClientError, retryInMs: number]
  /** A message that the full outbox had no room for; its promise was rejected as well. */
  dropped: [{ topic: string; bytes: number }]
  /** A subscription that was refused later on, or a handler or listener that threw. The connection goes on. */
  problem: [DeviceClientError]
}

const CONNECT_TIMEOUT_MS = 10_000
/** Before an identity is replaced, for the acknowledgements that are under way. */
const QUIET_TIMEOUT_MS = 2_000

/**
 * A device's lasting connection to its broker. It reconnects by itself until `close`, keeps what is published
 * meanwhile within the limits of its outbox, and keeps the order. Made by `connectMqtt`.
 */
export class DeviceConnection extends EventEmitter<DeviceConnectionEvents> {
  readonly clientId: string
  readonly #options: MqttOptions
  readonly #url: URL
  readonly #packetIds = new PacketIds()
  readonly #outbox: Outbox
  readonly #subscriptions: Subscriptions
  readonly #uplink: Uplink
  readonly #acks: AckWatch
  readonly #handlers = new Set<(message: Message) => void>()
  /** Nothing new is sent: the session is about to be replaced. */
  #holding = false
  #pumping = false
  #replacing = false
  #closing = false
  #info: OnlineInfo | undefined

  constructor(options: MqttOptions) {
    super()
    this.#options = options
    this.#url = parseServerUrl(options.url, ['mqtts:', 'wss:'])
    if (options.will) checkTopic(options.will.topic, 'will topic')
    this.clientId = options.clientId ?? deviceIdOf(options.identity)
    const limits = { maxMessages: 1000, maxBytes: 1024 * 1024, maxInFlight: 64, ...options.outbox }
    this.#outbox = new Outbox(limits, ({ topic, bytes }) => this.emit('dropped', { topic, bytes }))
    this.#subscriptions = new Subscriptions((error) => this.emit('problem', error))
    const ackTimeoutMs = options.ackTimeoutMs ?? 30_000
    this.#acks = new AckWatch(ackTimeoutMs, () => {
      const why = `no PUBACK from ${this.#url.host} within ${ackTimeoutMs / 1000} s`
      this.#uplink.session?.destroy(new DeviceClientError('connection-lost', why))
    })
    this.#uplink = new Uplink({
      tls: this.#brokerTls(options.identity),
      handshake: async (tls, signal) => this.#handshake(tls, signal),
      open: async (tls, signal, socket) => this.#open(tls, signal, socket),
      backoff: options.backoff ?? fullJitterBackoff(),
      retryFirst: options.firstConnection === 'retry',
      onSession: (session, connectMs) => this.#begin(session, connectMs),
      onLost: (reason) => this.#finish(reason),
      onOffline: (reason, waitMs) => this.#tell('offline', () => this.emit('offline', reason, waitMs)),
    })
  }

  get online(): boolean {
    return this.#uplink.session !== undefined
  }

  /** What `online` told about the connection that stands now; undefined while offline. */
  get info(): OnlineInfo | undefined {
    return this.online ? this.#info : undefined
  }

  /** Messages that the broker has not acknowledged yet. */
  get unacknowledged(): number {
    return this.#outbox.size
  }

  /** Opens the first connection and keeps one open from then on. Called once, by `connectMqtt`. */
  async start(): Promise<void> {
    await this.#uplink.start(this.#options.signal)
  }

  /**
   * Publishes; resolves when the broker acknowledged (QoS 1, the default) or the socket took it (QoS 0). While
   * offline the message waits, in order. A QoS 1 message may arrive twice, as in all of MQTT.
   *
   * Throws DeviceClientError `publish-dropped` (outbox full), `publish-timed-out`, `publish-too-large`,
   * `connection-lost` (QoS 0 only), `connection-closed`, `option-invalid` (topic).
   */
  async publish(topic: string, payload: string | Uint8Array, options: PublishOptions = {}): Promise<void> {
    checkTopic(topic)
    this.#refuseWhenClosed()
    const maxPacketBytes = this.#options.maxPacketBytes ?? 128 * 1024
    const { publication, done } = newPublication(topic, payload, options, maxPacketBytes, (late) =>
      this.#outbox.forget(late),
    )
    this.#outbox.add(publication)
    this.#pump()
    return done
  }

  /**
   * Subscribes, on every later connection too; resolves with the QoS that the broker granted, which may be
   * lower than asked for. While offline it resolves after the next connection.
   *
   * Throws DeviceClientError `subscribe-refused`, `connection-closed`, `option-invalid` (filter).
   */
  async subscribe(filter: string, options: { qos?: QoS } = {}): Promise<number> {
    checkFilter(filter)
    this.#refuseWhenClosed()
    return this.#subscriptions.add(filter, options.qos ?? 1, this.#uplink.session)
  }

  /** Ends a subscription. Throws DeviceClientError `connection-lost` if the broker could not answer. */
  async unsubscribe(filter: string): Promise<void> {
    if (this.#subscriptions.remove(filter)) await this.#uplink.session?.unsubscribe(filter)
  }

  /**
   * Calls `handler` for every message of every subscription, as it arrives; the PUBACK goes out when it
   * returns. What it throws becomes a `problem` event. Returns the function that takes the handler away.
   */
  onMessage(handler: (message: Message) => void): () => void {
    this.#handlers.add(handler)
    return () => this.#handlers.delete(handler)
  }

  /**
   * Changes to another key and certificate of the same device if the broker takes them, and resolves when the
   * connection that uses them stands. First a TLS connection is made beside the one in use; when the broker did
   * not refuse the certificate on it, what is in flight is acknowledged, the connection in use is ended with a
   * DISCONNECT, so that no will is published, and CONNECT follows on the new one. Nothing that waits is lost.
   *
   * Rejects, and the identity in use stays in use, with what `connectMqtt` throws when the broker cannot be
   * reached or refuses the identity, with DeviceClientError `option-invalid` (no pair, another device's, or
   * another one is being tried) or `connection-closed`.
   */
  async replaceIdentity(identity: KeyAndCertificate): Promise<void> {
    this.#refuseWhenClosed()
    if (this.#options.clientId === undefined && deviceIdOf(identity) !== this.clientId) {
      throw new DeviceClientError('option-invalid', `identity: this connection is that of ${this.clientId}`)
    }
    if (this.#replacing) {
      throw new DeviceClientError('option-invalid', 'identity: another one is being tried at this moment')
    }
    this.#replacing = true
    try {
      await this.#uplink.replaceTls(this.#brokerTls(identity), async () => {
        this.#holding = this.online
        await this.#outbox.quiet(QUIET_TIMEOUT_MS)
      })
    } catch (error) {
      this.#holding = false
      this.#pump()
      throw this.#closing ? closedByUs() : error
    } finally {
      this.#replacing = false
    }
  }

  /**
   * Waits for what is in the outbox if the broker can be reached (at most `timeoutMs`, default 5,000), sends
   * DISCONNECT, so that no will is published, and rejects what is left. Never rejects; may be called twice.
   */
  async close(options: { timeoutMs?: number } = {}): Promise<{ undelivered: number }> {
    this.#closing = true
    if (this.online) await this.#outbox.empty(options.timeoutMs ?? 5_000)
    await this.#uplink.stop()
    const undelivered = this.#outbox.abandon(closedByUs())
    this.#subscriptions.abandon(closedByUs())
    this.#handlers.clear()
    return { undelivered }
  }

  async #handshake(tls: BrokerTls, signal: AbortSignal): Promise<TLSSocket> {
    const { connectTimeoutMs = CONNECT_TIMEOUT_MS } = this.#options
    return this.#trusting(async () => openAcceptedSocket(this.#url, tls, connectTimeoutMs, signal))
  }

  async #open(tls: BrokerTls, signal: AbortSignal, socket: TLSSocket | undefined): Promise<Session> {
    const { clean = true, keepaliveSeconds = 60, will } = this.#options
    const options = {
      url: this.#url,
      tls,
      clientId: this.clientId,
      clean,
      keepaliveSeconds,
      connectTimeoutMs: this.#options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
      will,
      packetIds: this.#packetIds,
      onMessage: (message: Message) => this.#deliver(message),
      signal,
      socket,
    }
    return this.#trusting(async () => openSession(options))
  }

  /** Opens something; where the broker leads to no anchor that is held, once more with those that can be learned. */
  async #trusting<T>(open: () => Promise<T>): Promise<T> {
    const { trust, refreshTrust } = this.#options
    const before = trustPem(trust)
    try {
      return await open()
    } catch (error) {
      const isUntrusted = error instanceof DeviceClientError && error.tlsCode === 'unknown-authority'
      if (!isUntrusted || refreshTrust === undefined) throw error
      await refreshTrust().catch(() => undefined)
      if (trustPem(trust) === before) throw error
      return open()
    }
  }

  #begin(session: Session, connectMs: number): void {
    this.#holding = false
    this.#subscriptions.restore(session)
    this.#pump()
    const info = onlineInfo(session, connectMs)
    this.#info = info
    this.#tell('online', () => this.emit('online', info))
  }

  #finish(reason: DeviceClientError): void {
    this.#outbox.requeue(reason)
    this.#acks.progress(0)
    this.#packetIds.retain(this.#outbox.packetIds())
  }

  #pump(): void {
    const { session } = this.#uplink
    // A QoS 0 message is done before `publish` returns: the loop goes on, no recursion.
    if (!session || this.#holding || this.#pumping) return
    this.#pumping = true
    for (let publication = this.#outbox.next(); publication; publication = this.#outbox.next()) {
      const sent = publication
      session.publish(sent, () => {
        this.#outbox.acknowledge(sent)
        this.#acks.progress(this.#outbox.inFlight)
        this.#pump()
      })
    }
    this.#pumping = false
    this.#acks.progress(this.#outbox.inFlight)
  }

  #deliver(message: Message): void {
    for (const handler of this.#handlers) {
      try {
        handler(message)
      } catch (error) {
        this.#handlerFailed('a message handler', error)
      }
    }
  }

  /** Tells an event to its listeners; what one of them throws must not end the connection. */
  #tell(event: 'online' | 'offline', emit: () => void): void {
    try {
      emit()
    } catch (error) {
      this.#handlerFailed(`a listener of ${event}`, error)
    }
  }

  #handlerFailed(what: string, cause: unknown): void {
    const why = cause instanceof Error ? cause.message : String(cause)
    this.emit('problem', new DeviceClientError('handler-failed', `${what} threw: ${why}`, { cause }))
  }

  #brokerTls(identity: KeyAndCertificate): BrokerTls {
    const { trust, mode = 'compatible', serverName, server } = this.#options
    return brokerTls({ trust, identity, mode, serverName, server })
  }

  #refuseWhenClosed(): void {
    if (this.#closing || this.#uplink.stopped) throw closedByUs()
  }
}

function deviceIdOf(identity: KeyAndCertificate): string {
  const [certificate] = parseCertificates(identity.cert)
  const found = certificate && certificateIdentity(certificate)
  if (!found || 'refused' in found) {
    const why = found ? `: ${found.detail}` : ''
    throw new DeviceClientError(
      'option-invalid',
      `identity: the certificate names no device${why}; give a clientId`,
    )
  }
  return found.id
}
