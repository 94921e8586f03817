import { Readable } from 'node:stream'
import type { Identity } from '../admission/identity.ts'
import type { Message } from './message.ts'
import type { QueuedMessage } from './queue.ts'
import type { RetainedMessage } from './retained.ts'
import type { Store } from './store.ts'
import type { StoredSession, SubscriptionOptions } from './stored-session.ts'
import type { Will } from './wills.ts'

/** A client as aedes hands it to a persistence. */
interface Client {
  readonly id: string
}

/** A PUBLISH as aedes has it; `brokerId` and `brokerCounter` are its name for it. */
export interface Packet {
  readonly cmd?: string
  readonly topic: string
  readonly payload: Buffer | string
  readonly qos: 0 | 1 | 2
  readonly retain: boolean
  readonly dup?: boolean
  readonly brokerId?: string | undefined
  readonly brokerCounter?: number | undefined
  messageId?: number | undefined
}

/** An acknowledgement, or a packet that names another. */
interface PacketName {
  readonly cmd?: string
  readonly messageId?: number | undefined
  readonly brokerId?: string | undefined
  readonly brokerCounter?: number | undefined
}

interface Subscribe extends SubscriptionOptions {
  readonly topic: string
}

/** aedes' names for messages that aedes has enqueued. */
interface Names {
  readonly brokerId: string | undefined
  readonly brokerCounter: number | undefined
  messageId: number | undefined
  /** As it was given: aedes takes a string for a payload. */
  readonly payload: Buffer | string
}

/**
 * The store as aedes knows one: the interface of aedes-persistence 11, whose own tests it passes. Whatever resolves here is
 * safe, except where an answer to nobody depends on it: an acknowledgement that is taken back by a kill is
 * answered by the client once more.
 */
export class StorePersistence {
  readonly store: Store
  broker: { readonly id: string } | undefined
  readonly #ownerOf: (client: Client) => Identity | undefined
  readonly #heldBy: (client: Client) => StoredSession | undefined
  readonly #names = new WeakMap<QueuedMessage, Names>()

  /** `heldBy`: the session that is this connection's, and no longer than it is. */
  constructor(
    store: Store,
    ownerOf: (client: Client) => Identity | undefined,
    heldBy: (client: Client) => StoredSession | undefined,
  ) {
    this.store = store
    this.#ownerOf = ownerOf
    this.#heldBy = heldBy
  }

  async setup(broker: { readonly id: string }): Promise<void> {
    this.broker = broker
  }

  async destroy(): Promise<void> {
    await this.store.journal.close()
  }

  async storeRetained(packet: Packet): Promise<void> {
    const message = this.#messageOf(packet)
    this.store.retained.set({ message, owner: undefined, packet: { ...packet } })
    await this.store.journal.flushed()
  }

  createRetainedStreamCombi(filters: readonly string[]): Readable {
    return Readable.from(retainedPackets(this.#retained(filters)))
  }

  async *#retained(filters: readonly string[]): AsyncGenerator<RetainedMessage, void, undefined> {
    // What others have been told is to be found; without them it is answered by what is known here.
    await this.store.peers?.current().catch(() => undefined)
    yield* this.store.retained.match(filters)
  }

  createRetainedStream(filter: string): Readable {
    return this.createRetainedStreamCombi([filter])
  }

  async addSubscriptions(client: Client, subscriptions: readonly Subscribe[]): Promise<void> {
    const session = this.#heldBy(client)
    if (session === undefined) return
    for (const { topic, qos, rh, rap, nl, subscriptionIdentifier } of subscriptions) {
      const all = { qos, rh, rap, nl, subscriptionIdentifier }
      const known = Object.entries(all).filter(([, value]) => value !== undefined)
      this.store.subscribe(session, topic, Object.fromEntries(known) as unknown as SubscriptionOptions)
    }
    this.store.save(session)
    await this.store.journal.flushed()
  }

  async removeSubscriptions(client: Client, topics: readonly string[]): Promise<void> {
    const session = this.#heldBy(client)
    if (session === undefined) return
    for (const topic of topics) this.store.unsubscribe(session, topic)
    this.store.save(session)
    await this.store.journal.flushed()
  }

  async subscriptionsByClient({ id }: Client): Promise<Subscribe[]> {
    const subscriptions = this.store.sessions.get(id)?.subscriptions.values() ?? []
    return [...subscriptions].map(({ topic, options }) => ({ topic, ...options }))
  }

  async countOffline(): Promise<{ subsCount: number; clientsCount: number }> {
    let subsCount = 0
    let clientsCount = 0
    for (const { subscriptions } of this.store.sessions.values()) {
      if (subscriptions.size > 0) clientsCount += 1
      for (const { options } of subscriptions.values()) if (options.qos > 0) subsCount += 1
    }
    return { subsCount, clientsCount }
  }

  async subscriptionsByTopic(topic: string): Promise<(Subscribe & { clientId: string })[]> {
    return this.store.filters
      .match(topic)
      .map(({ session, topic: filter, options }) => ({ clientId: session.key, topic: filter, ...options }))
  }

  async cleanSubscriptions({ id }: Client): Promise<void> {
    if (!this.store.sessions.has(id)) return
    this.store.discard(id)
    await this.store.journal.flushed()
  }

  async outgoingEnqueue({ clientId }: { clientId: string }, packet: Packet): Promise<void> {
    await this.outgoingEnqueueCombi([{ clientId }], packet)
  }

  async outgoingEnqueueCombi(subscriptions: readonly { clientId: string }[], packet: Packet): Promise<void> {
    const { brokerId, brokerCounter, qos, retain, payload } = packet
    // aedes asks for every message, also where `Publishing` has done it: nobody must wait for what others have changed.
    if (qos === 0 || subscriptions.length === 0) return
    const message = this.#messageOf(packet)
    for (const { clientId } of subscriptions) {
      const entry = this.store.queues.enqueue(this.store.session(clientId), message, { qos, retain })
      if (entry !== undefined)
        this.#names.set(entry, { brokerId, brokerCounter, messageId: undefined, payload })
    }
    await this.store.journal.flushed()
  }

  /** A packet has got its identifier, or is to be replaced by its PUBREL. */
  async outgoingUpdate({ id }: Client, packet: PacketName): Promise<void> {
    const session = this.store.sessions.get(id)
    const entry = session && this.#find(session, packet)
    // Of a PUBREC that comes once more there may be nothing left; its PUBREL is due all the same.
    if (session === undefined || entry === undefined) return
    const { messageId } = packet
    if (packet.cmd === 'pubrel') this.store.queues.release(session, entry)
    else if (messageId !== undefined) {
      const names = this.#names.get(entry)
      if (names !== undefined) names.messageId = messageId
      this.store.queues.identify(session, entry, messageId)
    }
    await this.store.journal.flushed()
  }

  /** The client has acknowledged a message. What the disk has of it is of no consequence: see the class. */
  async outgoingClearMessageId({ id }: Client, packet: PacketName): Promise<Packet | undefined> {
    const session = this.store.sessions.get(id)
    const entry = packet.messageId === undefined ? undefined : session?.queue.get(packet.messageId)
    if (session === undefined || entry === undefined) return undefined
    const acknowledged = entry.message === undefined ? undefined : this.#packetOf(entry, entry.message)
    this.store.queues.remove(session, entry)
    session.wake?.()
    return acknowledged
  }

  outgoingStream({ id }: Client): Readable {
    const session = this.store.sessions.get(id)
    return Readable.from(
      [...(session?.queue ?? [])].map((entry) =>
        entry.message === undefined
          ? { cmd: 'pubrel', messageId: entry.messageId }
          : this.#packetOf(entry, entry.message),
      ),
    )
  }

  async incomingStorePacket({ id }: Client, packet: Packet): Promise<void> {
    const { messageId } = packet
    if (messageId === undefined) throw new Error('a packet without an identifier')
    const { cmd, topic, payload, qos, retain, dup } = packet
    this.store.addIncoming(id, messageId, { cmd, topic, payload, qos, retain, dup, messageId })
    await this.store.journal.flushed()
  }

  /** Rejects when there is no such packet. After a restart only the identifier is known. */
  async incomingGetPacket({ id }: Client, { messageId = 0 }: PacketName): Promise<unknown> {
    const window = this.store.window(id)
    if (!window.has(messageId)) throw new Error('no such packet')
    return window.get(messageId) ?? { messageId }
  }

  async incomingDelPacket({ id }: Client, { messageId = 0 }: PacketName): Promise<void> {
    if (!this.store.removeIncoming(id, messageId)) throw new Error('no such packet')
    // Before the PUBCOMP: a new message under this identifier must not pass for the old one.
    await this.store.journal.flushed()
  }

  async cleanIncoming({ id }: Client): Promise<void> {
    // At every CONNECT and end of a clean session: it must not wait for what others have changed.
    if (this.store.window(id).size === 0) return
    this.store.clearIncoming(id)
    await this.store.journal.flushed()
  }

  async putWill(client: Client, will: Will): Promise<void> {
    if (this.broker !== undefined) will.brokerId = this.broker.id
    will.clientId = client.id
    this.store.wills.set(client.id, will, this.#ownerOf(client))
    await this.store.journal.flushed()
  }

  async getWill({ id }: Client): Promise<Will | undefined> {
    return this.store.wills.get(id)
  }

  /** Nobody waits for it: a will that is deleted and comes back is one whose connection has ended with the broker. */
  async delWill({ id }: Client): Promise<Will | undefined> {
    return this.store.wills.delete(id)
  }

  streamWill(brokers: Readonly<Record<string, unknown>> = {}): Readable {
    const wills = [...this.store.wills.values()]
    return Readable.from(wills.filter(({ brokerId }) => brokerId === undefined || !(brokerId in brokers)))
  }

  getClientList(topic: string): Readable {
    const sessions = [...this.store.sessions.values()].filter(({ subscriptions }) => subscriptions.has(topic))
    return Readable.from(sessions.map(({ key }) => key))
  }

  #find(
    { queue }: StoredSession,
    { brokerId, brokerCounter, messageId }: PacketName,
  ): QueuedMessage | undefined {
    if (brokerCounter !== undefined) {
      for (const entry of queue) {
        const names = this.#names.get(entry)
        if (names?.brokerId === brokerId && names?.brokerCounter === brokerCounter) return entry
      }
    }
    return messageId === undefined ? undefined : queue.get(messageId)
  }

  #messageOf({ topic, payload, qos }: Packet): Message {
    return { topic, payload: Buffer.from(payload), qos, time: this.store.now() }
  }

  #packetOf(entry: QueuedMessage, { topic, payload }: Message): Packet {
    const { qos, retain, dup } = entry
    const names = this.#names.get(entry) ?? { messageId: entry.messageId }
    return { cmd: 'publish', topic, payload, qos, retain, dup, ...names }
  }
}

async function* retainedPackets(
  messages: AsyncIterable<RetainedMessage>,
): AsyncGenerator<object, void, undefined> {
  for await (const { message, packet } of messages) {
    const { topic, payload, qos } = message
    yield packet ?? { cmd: 'publish', topic, payload, qos, retain: true }
  }
}
