import { writeToStream } from 'mqtt-packet'
import { matchesFilter } from '../policy/filter-match.ts'
import type { Store } from '../store/store.ts'
import type { StoredSession } from '../store/stored-session.ts'
import type { Outbox, OutboxClient } from './outbox.ts'
import type { Session } from './session.ts'

/** A message as aedes' bus hands it to a client. */
export interface Delivery {
  readonly topic: string
  readonly payload: Buffer
  qos: 0 | 1 | 2
  readonly retain: boolean
  /** Null for a retained message in answer to a SUBSCRIBE. */
  readonly brokerId: string | null
  readonly brokerCounter: number
}

type Deliver = (packet: Delivery, done: () => void) => void

/** The parts of an aedes client that deliver messages. */
export interface DeliveringClient extends OutboxClient {
  readonly clean: boolean
  readonly closed: boolean
  readonly subscriptions: Readonly<Record<string, { readonly qos: 0 | 1 | 2 }>>
  _nextId: number
  deliver0: Deliver
  deliverQoS: Deliver
}

/** What deliveries are decided by. */
export interface DeliveryOptions {
  readonly session: Session
  readonly store: Store
  /** May a message on this topic wait for this session? */
  readonly mayQueue: (stored: StoredSession, topic: string) => boolean
  readonly mayReceive: (session: Session, packet: Delivery) => boolean
  /** The outbox of a session that is stored. */
  readonly outbox: () => Outbox | undefined
}

/**
 * Puts itself between aedes' bus and a client. By itself aedes delivers by the filter that happens to come first, and with
 * a wildcard in it at the quality of service of the publisher: here it is the lower of the message's and the highest
 * of all filters that match [MQTT-3.3.5-1], [MQTT-4.3.0-1]. Of a stored session only quality of service 0 goes this way: the rest is
 * in its queue.
 */
export function routeDeliveries(client: DeliveringClient, options: DeliveryOptions): void {
  const { session, store, mayQueue, mayReceive, outbox } = options
  const deliver0 = client.deliver0
  let lastCounter: number | undefined

  function enqueueRetained(
    stored: StoredSession,
    packet: Delivery,
    qos: 1 | 2,
  ): Promise<unknown> | undefined {
    const { topic, payload } = packet
    if (!mayQueue(stored, topic)) return undefined
    return store.enqueue(stored, { topic, payload, qos: packet.qos, time: store.now() }, qos)
  }

  /**
   * A message that several filters match comes once for each, at once. aedes takes every message for one that has come
   * whose number is lower than that of another; but messages overtake each other on their way to the bus.
   */
  function isRepeated({ brokerId, brokerCounter }: Delivery): boolean {
    if (brokerId === null) return false
    if (brokerCounter === lastCounter) return true
    lastCounter = brokerCounter
    return false
  }

  function sendTo(packet: Delivery, qos: 1 | 2, done: () => void): void {
    if (isRepeated(packet) || !mayReceive(session, packet)) return void setImmediate(done)
    const { topic, payload, retain } = packet
    const messageId = client._nextId
    client._nextId = messageId >= 65_535 ? 1 : messageId + 1
    setImmediate(() => {
      if (client.closed || session.stream.destroyed) return done()
      const hasRoom = writeToStream(
        { cmd: 'publish', topic, payload, qos, retain, dup: false, messageId },
        session.stream,
      )
      if (hasRoom) setImmediate(done)
      else client.waitForDrain(done)
    })
  }

  const deliver: Deliver = (packet, done) => {
    const granted = packet.qos === 0 ? 0 : grantedQos(client.subscriptions, packet.topic)
    const qos = granted < packet.qos ? granted : packet.qos
    if (qos === 0) return deliver0(packet, done)
    if (client.clean) return sendTo(packet, qos, done)
    const { stored } = session
    const box = outbox()
    if (stored === undefined || box === undefined) return void setImmediate(done)
    if (packet.brokerId !== null) return box.holdBack(done)
    const enqueued = enqueueRetained(stored, packet, qos)
    if (enqueued === undefined) box.whenShort(done)
    else void enqueued.catch(() => undefined).finally(() => box.whenShort(done))
  }
  client.deliver0 = deliver
  client.deliverQoS = deliver
}

/** The highest quality of service that the filters that match ask for. */
function grantedQos(subscriptions: DeliveringClient['subscriptions'], topic: string): 0 | 1 | 2 {
  let granted: 0 | 1 | 2 = 0
  for (const filter in subscriptions) {
    const { qos } = subscriptions[filter]!
    if (qos > granted && matchesFilter(filter, topic)) granted = qos
  }
  return granted
}
