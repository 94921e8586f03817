/** A subscription as aedes hands it to its store. */
interface StoredSubscription {
  readonly topic: string
}

/** Whose session a call is about: a live client, or its session key alone. */
interface StoreClient {
  readonly id: string
}

/** The part of an aedes persistence (any of them) that has to ask before it acts. */
export interface SessionStore {
  addSubscriptions(client: StoreClient, subscriptions: StoredSubscription[]): Promise<unknown>
  removeSubscriptions(client: StoreClient, topics: string[]): Promise<unknown>
  outgoingEnqueueCombi(
    subscriptions: { readonly clientId: string }[],
    packet: { readonly topic: string },
  ): Promise<unknown>
  outgoingClearMessageId(client: StoreClient, packet: { readonly messageId?: number }): Promise<unknown>
  delWill(client: StoreClient): Promise<unknown>
  putWill(client: StoreClient, will: unknown): Promise<unknown>
}

/** What the store must know about sessions. */
export interface StoreQuestions {
  /** May this live client have this filter? */
  readonly maySubscribe: (client: StoreClient, filter: string) => boolean
  /** May a message on this topic wait for this session, live or not? */
  readonly mayQueue: (sessionKey: string, topic: string) => boolean
  /** Is this a client whose connection has ended? */
  readonly hasEnded: (client: StoreClient) => boolean
}

/**
 * Makes the store of an aedes broker ask first. What aedes does on its own:
 *
 * - of a SUBSCRIBE with several filters it stores all as soon as one is granted, and queues messages for the
 *   offline client by what is stored: here only granted filters are stored;
 * - it queues by the rights of the day of the SUBSCRIBE: here by those of now;
 * - it queues a message once for each filter that matches, and when the second copy, or a message whose delivery
 *   is denied, is not sent to a live session, it takes a packet without a packet identifier out of the queue:
 *   the first one there is, which may be another message that was acknowledged. Here a message is queued once
 *   or not at all, and nothing without a packet identifier is taken out;
 * - a connection that ends while its session is being loaded is registered all the same, and ends whoever
 *   has come in its place: here its CONNECT never gets past the steps before, `delWill` and `putWill` of the store.
 */
export function guardStore(store: SessionStore, questions: StoreQuestions): void {
  const addSubscriptions = store.addSubscriptions.bind(store)
  const outgoingEnqueueCombi = store.outgoingEnqueueCombi.bind(store)
  const outgoingClearMessageId = store.outgoingClearMessageId.bind(store)
  const delWill = store.delWill.bind(store)
  const putWill = store.putWill.bind(store)

  store.addSubscriptions = async (client, subscriptions) => {
    const granted = subscriptions.filter(({ topic }) => questions.maySubscribe(client, topic))
    if (granted.length > 0) await addSubscriptions(client, granted)
  }

  store.outgoingEnqueueCombi = async (subscriptions, packet) => {
    const waiting = oncePerSession(subscriptions).filter(({ clientId }) =>
      questions.mayQueue(clientId, packet.topic),
    )
    if (waiting.length > 0) await outgoingEnqueueCombi(waiting, packet)
  }

  store.outgoingClearMessageId = async (client, packet) => {
    return packet.messageId === undefined ? undefined : outgoingClearMessageId(client, packet)
  }

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
}

function oncePerSession<Subscription extends { clientId: string }>(
  subscriptions: Subscription[],
): Subscription[] {
  if (subscriptions.length < 2) return subscriptions
  const seen = new Set<string>()
  return subscriptions.filter(({ clientId }) => seen.size < seen.add(clientId).size)
}

/** Neither resolved nor rejected, because aedes would go on after both. A new one each: waiting is not free. */
function never(): Promise<never> {
  return new Promise(() => undefined)
}
