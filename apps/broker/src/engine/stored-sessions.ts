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

/** Takes a filter out of the stored session of a client. */
export type ForgetFilter = (client: StoreClient, filter: string) => Promise<unknown>

/** What the store must know about sessions. */
export interface StoreQuestions {
  /** Does this live client have this filter, by its count and by the policy? */
  readonly hasFilter: (client: StoreClient, filter: string) => boolean
  /** Hears, in the order of the packets, what a client gives up. */
  readonly onUnsubscribe: (client: StoreClient, filters: readonly string[]) => void
  /** May a message on this topic wait for this session, live or not? */
  readonly mayQueue: (sessionKey: string, topic: string) => boolean
  /** Is this a client whose connection has ended? */
  readonly hasEnded: (client: StoreClient) => boolean
}

/**
 * Makes the store of an aedes broker ask first. What aedes does on its own:
 *
 * - of a SUBSCRIBE with several filters it stores all as soon as one is granted, and queues messages for the
 *   offline client by what is stored: here only granted filters are stored, and once, not once for each granted;
 * - it works on the SUBSCRIBE and UNSUBSCRIBE packets of a client at the same time, so that a filter may be on
 *   when its UNSUBSCRIBE has been answered: here each waits for the one before;
 * - it queues by the rights of the day of the SUBSCRIBE: here by those of now;
 * - it queues a message once for each filter that matches, and when the second copy, or a message whose delivery
 *   is denied, is not sent to a live session, it takes a packet without a packet identifier out of the queue:
 *   the first one there is, which may be another message that was acknowledged. Here a message is queued once
 *   or not at all, and nothing without a packet identifier is taken out;
 * - a connection that ends while its session is being loaded is registered all the same, and ends whoever
 *   has come in its place: here its CONNECT never gets past the steps before, `delWill` and `putWill` of the store.
 *
 * Returns the function that takes a filter out of what is stored and leaves the live session as it is.
 */
export function guardStore(store: SessionStore, questions: StoreQuestions): ForgetFilter {
  const addSubscriptions = store.addSubscriptions.bind(store)
  const removeSubscriptions = store.removeSubscriptions.bind(store)
  const outgoingEnqueueCombi = store.outgoingEnqueueCombi.bind(store)
  const outgoingClearMessageId = store.outgoingClearMessageId.bind(store)
  const delWill = store.delWill.bind(store)
  const putWill = store.putWill.bind(store)

  const inTurn = turns()
  const underWay = new WeakMap<readonly StoredSubscription[], Promise<unknown>>()

  // aedes comes with the whole list once for each filter that was granted, all in one turn of the loop.
  store.addSubscriptions = (client, subscriptions) => {
    const known = underWay.get(subscriptions)
    if (known !== undefined) return known
    const stored = inTurn(client, async () => {
      const granted = subscriptions.filter(({ topic }) => questions.hasFilter(client, topic))
      if (granted.length > 0) await addSubscriptions(client, granted)
    })
    underWay.set(subscriptions, stored)
    return stored
  }

  store.removeSubscriptions = (client, filters) => {
    questions.onUnsubscribe(client, filters)
    return inTurn(client, () => removeSubscriptions(client, filters))
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
