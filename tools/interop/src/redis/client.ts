import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { connect, type ConnectionOptions } from 'node:tls'
import { clientTlsOptions, type KeyAndCertificate } from '@fleetroot/tls-config'
import {
  generate,
  type IConnackPacket,
  type IConnectPacket,
  type IPublishPacket,
  type Packet,
  parser,
} from 'mqtt-packet'
import { createWebSocketStream, WebSocket } from 'ws'

/** What a client connects with. */
export interface ClientOptions {
  /** `mqtts://…`, or `wss://…/mqtt`. */
  readonly url: URL
  readonly root: string
  readonly identity: KeyAndCertificate
  readonly clientId: string
  readonly clean?: boolean
  readonly will?: IConnectPacket['will']
}

/** Longest wait for anything, on a machine that has much else to do. */
const patienceMs = 60_000

async function open(url: URL, tls: ConnectionOptions): Promise<Duplex> {
  if (url.protocol === 'wss:') {
    const webSocket = new WebSocket(url, ['mqtt'], tls)
    await once(webSocket, 'open')
    return createWebSocketStream(webSocket)
  }
  const socket = connect({ ...tls, host: url.hostname, port: Number(url.port) })
  await once(socket, 'secureConnect')
  return socket
}

/** One MQTT connection that acknowledges what it gets, and remembers all of it. */
export class Client {
  readonly connack: IConnackPacket
  /** Every PUBLISH that came. */
  readonly messages: IPublishPacket[] = []
  isClosed = false
  readonly closed: Promise<void>
  readonly #send: (...packets: Packet[]) => void
  readonly #destroy: () => void
  readonly #answers = new Map<string, () => void>()
  readonly #waiting = new Set<() => void>()
  #messageId = 0

  private constructor(
    connack: IConnackPacket,
    stream: { send: (...packets: Packet[]) => void; destroy: () => void; closed: Promise<void> },
  ) {
    this.connack = connack
    this.#send = stream.send
    this.#destroy = stream.destroy
    this.closed = this.#follow(stream.closed)
  }

  async #follow(closed: Promise<void>): Promise<void> {
    await closed
    this.isClosed = true
    this.#changed()
  }

  /** Connects; resolves at the CONNACK, whatever it says. Rejects when there is none. */
  static async connect({
    url,
    root,
    identity,
    clientId,
    clean = true,
    will,
  }: ClientOptions): Promise<Client> {
    const tls = clientTlsOptions({ trust: [root], identity, mode: 'compatible' })
    const socket = await open(url, tls)
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
    socket.on('error', () => undefined)
    socket.once('end', () => socket.destroy())
    const send = (...packets: Packet[]): void => {
      if (!socket.destroyed) socket.write(Buffer.concat(packets.map((packet) => generate(packet))))
    }
    const reader = parser()
    const early: Packet[] = []
    let take = (packet: Packet): void => void early.push(packet)
    const first = Promise.withResolvers<IConnackPacket>()
    reader.on('packet', (packet) => (packet.cmd === 'connack' ? first.resolve(packet) : take(packet)))
    socket.on('data', (chunk: Buffer) => reader.parse(chunk))
    void closed.then(() => first.reject(new Error(`${clientId}: closed before CONNACK`)))
    send({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 4,
      clean,
      keepalive: 60,
      clientId,
      ...(will && { will }),
    })
    const client = new Client(await first.promise, { send, destroy: () => socket.destroy(), closed })
    take = (packet) => client.#take(packet)
    for (const packet of early) client.#take(packet)
    return client
  }

  /** Subscribes; resolves when the broker has answered. */
  async subscribe(filter: string | readonly string[], qos: 0 | 1 | 2 = 1): Promise<void> {
    const messageId = this.#nextId()
    const answered = this.#answer('suback', messageId)
    this.#send({
      cmd: 'subscribe',
      messageId,
      subscriptions: [filter].flat().map((topic) => ({ topic, qos })),
    })
    await answered
  }

  /** Gives a filter up; resolves when the broker has. */
  async unsubscribe(filter: string): Promise<void> {
    const messageId = this.#nextId()
    const answered = this.#answer('unsuback', messageId)
    this.#send({ cmd: 'unsubscribe', messageId, unsubscriptions: [filter] })
    await answered
  }

  /** Publishes; resolves when the broker has taken it over: PUBACK, or PUBCOMP. */
  async publish(
    topic: string,
    payload: string,
    { qos = 1, retain = false }: { qos?: 0 | 1 | 2; retain?: boolean } = {},
  ): Promise<void> {
    const messageId = this.#nextId()
    const answered = qos === 0 ? undefined : this.#answer(qos === 1 ? 'puback' : 'pubcomp', messageId)
    this.#send({ cmd: 'publish', topic, payload, qos, retain, dup: false, messageId })
    await answered
  }

  /** Publishes retained messages, by topic, in one write; resolves when the broker has taken over or denied all of them. */
  async retain(payloads: Readonly<Record<string, string>>, qos: 0 | 1 | 2 = 1): Promise<void> {
    const packets = Object.entries(payloads).map(([topic, payload]): IPublishPacket => {
      const messageId = this.#nextId()
      return { cmd: 'publish', topic, payload, qos, retain: true, dup: false, messageId }
    })
    // Nothing answers to QoS 0; a PINGREQ after it is answered when it has been read.
    const answered =
      qos === 0
        ? [this.#answer('pingresp', 0)]
        : packets.map(({ messageId }) => this.#answer(qos === 1 ? 'puback' : 'pubcomp', messageId!))
    this.#send(...packets, ...(qos === 0 ? [{ cmd: 'pingreq' } as const] : []))
    await Promise.all(answered)
  }

  /** The payloads that came on this topic, or on all. */
  texts(topic?: string): string[] {
    return this.messages
      .filter((message) => topic === undefined || message.topic === topic)
      .map(({ payload }) => payload.toString())
  }

  /** Resolves when `done` says so, which is asked after everything that comes; rejects when the connection ends before. */
  async until(done: () => boolean): Promise<void> {
    const deadline = setTimeout(() => this.#changed(), patienceMs)
    const isLate = performance.now() + patienceMs - 1
    while (!done()) {
      if (this.isClosed) throw new Error('the connection ended')
      if (performance.now() > isLate) throw new Error(`not in time; there were: ${this.#summary()}`)
      await new Promise<void>((resolve) => this.#waiting.add(resolve))
    }
    clearTimeout(deadline)
  }

  #summary(): string {
    return this.messages.map(({ topic, payload }) => `${topic} ${payload.toString()}`).join('\n')
  }

  /** With DISCONNECT, or without a word. */
  async leave(how: 'politely' | 'abruptly' = 'politely'): Promise<void> {
    if (how === 'politely') this.#send({ cmd: 'disconnect' })
    else this.#destroy()
    await this.closed
  }

  #nextId(): number {
    return (this.#messageId = (this.#messageId % 65_535) + 1)
  }

  async #answer(cmd: string, messageId: number): Promise<void> {
    let isThere = false
    this.#answers.set(`${cmd} ${messageId}`, () => (isThere = true))
    await this.until(() => isThere)
  }

  #take(packet: Packet): void {
    const messageId = packet.messageId ?? 0
    if (packet.cmd === 'publish') {
      this.messages.push(packet)
      if (packet.qos === 1) this.#send({ cmd: 'puback', messageId })
      if (packet.qos === 2) this.#send({ cmd: 'pubrec', messageId })
    } else if (packet.cmd === 'pubrel') this.#send({ cmd: 'pubcomp', messageId })
    else if (packet.cmd === 'pubrec') this.#send({ cmd: 'pubrel', messageId })
    else this.#answers.get(`${packet.cmd} ${messageId}`)?.()
    this.#changed()
  }

  #changed(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const resolve of waiting) resolve()
  }
}
