import { Readable } from 'node:stream'
import { BrokerError } from '../error.ts'

/** A subscription as aedes hands it to its store. */
interface StoredSubscription {
  readonly topic: string
  readonly qos?: 0 | 1 | 2
}

/** Whose session a call is about: a live client, or its session key alone. */
interface StoreClient {
  readonly id: string
}

/** The part of an aedes persistence that has to ask before it acts, or not to act at all. */
export interface SessionStore {
  addSubscriptions(client: StoreClient, subscriptions: StoredSubscription[]): Promise<unknown>
  removeSubscriptions(client: StoreClient, topics: string[]): Promise<unknown>
  subscriptionsByClient(client: StoreClient): Promise<StoredSubscription[]>
  subscriptionsByTopic(topic: string): Promise<unknown[]>
  storeRetained(packet: unknown): Promise<unknown>
  outgoingStream(client: StoreClient): Readable
  incomingGetPacket(client: StoreClient, packet: object): Promise<unknown>
  incomingStorePacket(client: StoreClient, packet: object): Promise<unknown>
  incomingDelPacket(client: StoreClient, packet: object): Promise<unknown>
  outgoingUpdate(client: StoreClient, packet: object): Promise<unknown>
  delWill(client: StoreClient): Promise<unknown>
  putWill(client: StoreClient, will: unknown): Promise<unknown>
}

/**
 * What stands for a session without filters: aedes tells its client that the session is present [MQTT-3.2.2-2] when there is
 * a subscription to restore, and only then. A client that is told otherwise starts its packet identifiers anew.
 */
export const sessionMark: StoredSubscription = Object.freeze({ topic: '$session', qos: 0 })

/** Takes a filter out of the stored session of a client. */
export type ForgetFilter = (client: StoreClient, filter: string) => Promise<unknown>

/** What the store must know about sessions. */
export interface StoreQuestions {
  /** Does this live client have this filter, by its count and by the policy? */
  readonly hasFilter: (client: StoreClient, filter: string) => boolean
  /** Hears, in the order of the packets, what a client gives up. */
  readonly onUnsubscribe: (client: StoreClient, filters: readonly string[]) => void
  /** Was the session there when its client connected? */
  readonly isResumed: (sessionKey: string) => boolean
  /** Is this QoS 2 packet one that came for the first time? */
  readonly isFresh: (packet: object) => boolean
  /** Is this a client whose connection has ended? */
  readonly hasEnded: (client: StoreClient) => boolean
  /** What this client has sent could not be kept: its session is to end without an answer. */
  readonly onUnkept: (client: StoreClient) => void
}

/**
 * Makes the store of an aedes broker ask first. What aedes does on its own:
 *
 * - of a SUBSCRIBE with several filters it stores all as soon as one is granted, and queues messages for the
 *   offline client by what is stored: here only granted filters are stored, and once, not once for each granted;
 * - it works on the SUBSCRIBE and UNSUBSCRIBE packets of a client at the same time, so that a filter may be on
 *   when its UNSUBSCRIBE has been answered: here each waits for the one before, and none outlives its connection;
 * - it stores and queues a message after it has acknowledged it, and sends what is queued beside what comes: here `Publishing` has done the one when aedes comes to it, and `Outbox` does the other;
 * - of two PUBLISH packets with one packet identifier that come at once it takes both for the first;
 * - it answers a PUBREL, a PUBREC and a SUBSCRIBE also when the store could not keep what it answers;
 * - a connection that ends while its session is being loaded is registered all the same, and ends whoever
 *   has come in its place: here its CONNECT never gets past the steps before, `delWill` and `putWill` of the store.
 *
 * Returns the function that takes a filter out of what is stored and leaves the live session as it is.
 */
export function guardStore(store: SessionStore, questions: StoreQuestions): ForgetFilter {
  const addSubscriptions = store.addSubscriptions.bind(store)
  const removeSubscriptions = store.removeSubscriptions.bind(store)
  const subscriptionsByClient = store.subscriptionsByClient.bind(store)
  const incomingGetPacket = store.incomingGetPacket.bind(store)
  const incomingDelPacket = store.incomingDelPacket.bind(store)
  const outgoingUpdate = store.outgoingUpdate.bind(store)
  const delWill = store.delWill.bind(store)
  const putWill = store.putWill.bind(store)

  const next = turns()
  const underWay = new WeakMap<readonly StoredSubscription[], Promise<unknown>>()

  /** What has waited until its connection had ended is not done: the session may be that of another one, here or elsewhere. */
  const inTurn = (client: StoreClient, work: () => Promise<unknown>): Promise<unknown> =>
    next(client, () => (questions.hasEnded(client) ? never() : work()))

  /** Without an answer to its packet a client sends it again, to whom can keep it. */
  async function kept(client: StoreClient, work: Promise<unknown>): Promise<unknown> {
    try {
      return await work
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error
      questions.onUnkept(client)
      return never()
    }
  }

  store.incomingDelPacket = (client, packet) => kept(client, incomingDelPacket(client, packet))
  store.outgoingUpdate = (client, packet) => kept(client, outgoingUpdate(client, packet))

  // aedes comes with the whole list once for each filter that was granted, all in one turn of the loop.
  store.addSubscriptions = (client, subscriptions) => {
    const known = underWay.get(subscriptions)
    if (known !== undefined) return known
    const stored = inTurn(client, async () => {
      const granted = subscriptions.filter(({ topic }) => questions.hasFilter(client, topic))
      if (granted.length > 0) await kept(client, addSubscriptions(client, granted))
    })
    underWay.set(subscriptions, stored)
    return stored
  }

  store.removeSubscriptions = (client, filters) => {
    questions.onUnsubscribe(client, filters)
    return inTurn(client, () => kept(client, removeSubscriptions(client, filters)))
  }

  store.subscriptionsByClient = async (client) => {
    const subscriptions = await subscriptionsByClient(client)
    return subscriptions.length === 0 && questions.isResumed(client.id) ? [sessionMark] : subscriptions
  }

  // Before the acknowledgement, and by `Publishing`.
  store.subscriptionsByTopic = async () => []
  store.storeRetained = async () => undefined
  store.incomingStorePacket = async () => undefined
  store.incomingGetPacket = async (client, packet) => {
    if (questions.isFresh(packet)) throw new Error('not seen before')
    return incomingGetPacket(client, packet)
  }

  // By `Outbox`.
  store.outgoingStream = () => new Readable({ read: nothing })

  store.delWill = async (client) => {
    const result = await delWill(client)
    return questions.hasEnded(client) ? never() : result
  }

  store.putWill = async (client, will) => {
    const result = await putWill(client, will)
    if (!questions.hasEnded(client)) return result
    await delWill(client)
    return never()
  }

  return (client, filter) => inTurn(client, () => removeSubscriptions(client, [filter]))
}

/**
 * Runs the work for each client in the order in which it came. Callers must get the very promise that is returned:
 * what they do when it resolves then comes before the next work, which an `async` function around it would delay.
 */
function turns(): (client: StoreClient, work: () => Promise<unknown>) => Promise<unknown> {
  const last = new WeakMap<StoreClient, Promise<unknown>>()
  return (client, work) => {
    const done = (last.get(client) ?? Promise.resolve()).then(work)
    last.set(
      client,
      done.catch(() => undefined),
    )
    return done
  }
}

/** Ends a stream before its first item, without the generator of `Readable.from`: there is one for every CONNECT. */
function nothing(this: Readable): void {
  this.push(null)
}

/** Neither resolved nor rejected, because aedes would go on after both. A new one each: waiting is not free. */
function never(): Promise<never> {
  return new Promise(() => undefined)
}
