import { parseSerial } from '@fleetroot/pki'
import type { Identity } from '../admission/identity.ts'
import { Queue } from './queue.ts'

/** What a client asked for with a topic filter, in the words of aedes; 3.1.1 knows `qos` only. */
export interface SubscriptionOptions {
  readonly qos: 0 | 1 | 2
  readonly rh?: number
  readonly rap?: boolean
  readonly nl?: boolean
  readonly subscriptionIdentifier?: number
}

/** One topic filter of a session. */
export interface Subscription {
  readonly session: StoredSession
  readonly topic: string
  readonly options: SubscriptionOptions
}

/** An MQTT session: what outlives the connection of its client [MQTT-3.1.2-4]. */
export interface StoredSession {
  /** Its name in the journal; undefined for a session that nothing is to be written of, such as one that ends with its connection. */
  number: number | undefined
  readonly key: string
  /** Who connected last. Undefined: nobody has, which only aedes' own tests of a store do. */
  owner: Identity | undefined
  readonly subscriptions: Map<string, Subscription>
  readonly queue: Queue
  /** Packet identifiers of the client's QoS 2 messages that wait for its PUBREL. */
  readonly incoming: Map<number, unknown>
  /** Was it there when its client connected [MQTT-3.2.2-2]? */
  isResumed: boolean
  /** When the client left, in milliseconds since 1970; undefined while it is connected. */
  leftMs: number | undefined
  /** Messages up to this number may have reached the client before it left. */
  sentThrough: number
  /** Hears that a message is safe and may be sent; undefined while nobody is connected. */
  wake: (() => void) | undefined
  /** Has a message been dropped since the queue was empty? One line in the log is enough. */
  isOverfull: boolean
}

export function newSession(number: number | undefined, key: string): StoredSession {
  return {
    number,
    key,
    owner: undefined,
    subscriptions: new Map(),
    queue: new Queue(),
    incoming: new Map(),
    isResumed: false,
    leftMs: undefined,
    sentThrough: 0,
    wake: undefined,
    isOverfull: false,
  }
}

/** JSON, because an operator may want to look at it; it is written once per connection, and with every SUBSCRIBE. */
export function encodeSession({ key, owner, subscriptions, leftMs, sentThrough }: StoredSession): Buffer {
  const filters = [...subscriptions.values()].map(({ topic, options }) => ({ topic, ...options }))
  return Buffer.from(JSON.stringify({ key, owner, filters, leftMs, sentThrough }))
}

/** Reads what `encodeSession` wrote; throws when it is not that. */
export function decodeSession(number: number, record: Buffer): StoredSession {
  const { key, owner, filters, leftMs, sentThrough } = JSON.parse(record.toString()) as {
    key: string
    owner?: Identity
    filters: ({ topic: string } & SubscriptionOptions)[]
    leftMs?: number
    sentThrough: number
  }
  const session = newSession(number, key)
  session.owner = owner === undefined ? undefined : readIdentity(owner)
  session.leftMs = leftMs
  session.sentThrough = sentThrough
  for (const { topic, ...options } of filters) session.subscriptions.set(topic, { session, topic, options })
  return session
}

/** JSON leaves out what is undefined, which an identity has as such. */
export function readIdentity(record: Identity): Identity {
  const { id, role, o, ou, serial, issuer, issuerKeyId, notAfterMs, listener } = record
  const known = { id, role, o, ou, serial: parseSerial(serial), issuer, issuerKeyId, notAfterMs }
  return listener === undefined ? known : { ...known, listener }
}
