import type { Duplex } from 'node:stream'
import { generate, type IConnackPacket, type IPublishPacket, type Packet, parser } from 'mqtt-packet'

/** Opens a new connection to wherever the broker is now; rejects while there is none. */
export type Dial = () => Promise<Duplex>

/** One connection: packets out, packets in, until it ends. */
async function converse(
  dial: Dial,
  clientId: string,
  onPacket: (packet: Packet, send: (packet: Packet) => void) => void,
): Promise<{ send: (packet: Packet) => void; ended: Promise<void> }> {
  const stream = await dial()
  const send = (packet: Packet): void => {
    if (!stream.destroyed) stream.write(generate(packet))
  }
  const ended = new Promise<void>((resolve) => stream.once('close', () => resolve()))
  stream.on('error', () => undefined)
  stream.once('end', () => stream.destroy())
  const reader = parser()
  reader.on('packet', (packet) => onPacket(packet, send))
  stream.on('data', (chunk: Buffer) => reader.parse(chunk))
  send({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: false, keepalive: 60, clientId })
  return { send, ended }
}

/** A broker that cannot keep anything says so (3) and closes; every other refusal is a mistake of the test. */
function isRefused({ returnCode }: IConnackPacket): boolean {
  if (returnCode !== 0 && returnCode !== 3) throw new Error(`CONNACK ${returnCode}`)
  return returnCode === 3
}

/** A message under way: `released` when the broker has taken responsibility for it and its PUBREL is due. */
interface Sent {
  readonly text: string
  isReleased: boolean
}

/**
 * A client that publishes numbers as MQTT 3.1.1 section 4.3 wants it, whatever happens to the connection: nothing is
 * forgotten before it is acknowledged, and everything that is not is sent again [MQTT-4.4.0-1].
 */
export class ExactPublisher {
  /** What the broker has acknowledged: with PUBACK, or with PUBREC. */
  readonly acknowledged: string[] = []
  isSending = true
  readonly #id: string
  readonly #qos: 1 | 2
  readonly #window: number
  readonly #underWay = new Map<number, Sent>()
  #count = 0
  #messageId = 0

  constructor(id: string, qos: 1 | 2, window: number) {
    this.#id = id
    this.#qos = qos
    this.#window = window
  }

  /** Publishes until the connection ends. */
  async connect(dial: Dial): Promise<void> {
    const { ended } = await converse(dial, this.#id, (packet, send) => this.#hear(packet, send))
    await ended
  }

  get isDone(): boolean {
    return this.#underWay.size === 0
  }

  #hear(packet: Packet, send: (packet: Packet) => void): void {
    if (packet.cmd === 'connack') {
      if (isRefused(packet)) return
      for (const [messageId, sent] of this.#underWay) this.#send(messageId, sent, send, true)
    } else if (packet.cmd === 'puback' || packet.cmd === 'pubrec') {
      const messageId = packet.messageId ?? 0
      const sent = this.#underWay.get(messageId)
      if (sent !== undefined && !sent.isReleased) this.acknowledged.push(sent.text)
      if (packet.cmd === 'puback') this.#underWay.delete(messageId)
      else {
        if (sent !== undefined) sent.isReleased = true
        send({ cmd: 'pubrel', messageId })
      }
    } else if (packet.cmd === 'pubcomp') this.#underWay.delete(packet.messageId ?? 0)
    this.#fill(send)
  }

  #fill(send: (packet: Packet) => void): void {
    while (this.isSending && this.#underWay.size < this.#window) {
      do this.#messageId = (this.#messageId % 200) + 1
      while (this.#underWay.has(this.#messageId))
      const sent = { text: `${this.#id} ${(this.#count += 1)}`, isReleased: false }
      this.#underWay.set(this.#messageId, sent)
      this.#send(this.#messageId, sent, send, false)
    }
  }

  #send(messageId: number, { text, isReleased }: Sent, send: (packet: Packet) => void, dup: boolean): void {
    if (isReleased) return send({ cmd: 'pubrel', messageId })
    const topic = `devices/${this.#id}/telemetry/t`
    send({ cmd: 'publish', topic, payload: text, qos: this.#qos, messageId, retain: false, dup })
  }
}

/** A client that subscribes at QoS 2 and keeps the receiver's side of the bargain through every reconnection. */
export class ExactSubscriber {
  /** Every message as often as it was delivered. */
  readonly received: string[] = []
  /** Sessions that the broker had forgotten. */
  forgotten = 0
  readonly #id: string
  readonly #waiting = new Set<number>()
  #isKnown = false

  constructor(id: string) {
    this.#id = id
  }

  /** Receives until the connection ends; `onReady` when its filters are granted. */
  async connect(
    dial: Dial,
    onReady: () => void = () => undefined,
  ): Promise<{ leave: () => void; ended: Promise<void> }> {
    const { send, ended } = await converse(dial, this.#id, (packet, send) => {
      if (packet.cmd === 'suback') onReady()
      this.#hear(packet, send)
    })
    return { leave: () => send({ cmd: 'disconnect' }), ended }
  }

  #hear(packet: Packet, send: (packet: Packet) => void): void {
    if (packet.cmd === 'connack') {
      if (isRefused(packet)) return
      if (this.#isKnown && !packet.sessionPresent) this.forgotten += 1
      this.#isKnown = true
      send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'devices/#', qos: 2 }] })
    } else if (packet.cmd === 'publish') this.#take(packet, send)
    else if (packet.cmd === 'pubrel') {
      this.#waiting.delete(packet.messageId ?? 0)
      send({ cmd: 'pubcomp', messageId: packet.messageId ?? 0 })
    }
  }

  #take({ qos, messageId = 0, payload }: IPublishPacket, send: (packet: Packet) => void): void {
    if (qos === 2) {
      if (!this.#waiting.has(messageId)) this.received.push(payload.toString())
      this.#waiting.add(messageId)
      return send({ cmd: 'pubrec', messageId })
    }
    this.received.push(payload.toString())
    if (qos === 1) send({ cmd: 'puback', messageId })
  }
}
