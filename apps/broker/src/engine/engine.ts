import type { EventEmitter } from 'node:events'
import type { Duplex } from 'node:stream'
import type { Logger } from '@fleetroot/service'
import { Aedes } from 'aedes'
import type { Identity } from '../admission/identity.ts'
import type { IdentityGuard } from '../guard/identity-guard.ts'
import { isolateSlowReader, type PatientClient } from '../guard/slow-reader.ts'
import { guardStream } from '../listener/guarded-stream.ts'
import { authorize, type Policy, presenceTopic } from '@fleetroot/policy'
import { type BrokerCounts, count } from '../metrics/counts.ts'
import { type OwnMessage, Presence } from '../presence/presence.ts'
import type { RevocationView } from '../revocation/revocation.ts'
import { drain, type MessageBus } from './drain.ts'
import { watchExpiry } from './expiry.ts'
import { type DeliveringClient, routeDeliveries } from './delivery.ts'
import { createGates, type GateOptions } from './gates.ts'
import { createHooks } from './hooks.ts'
import type { EngineLimits } from './limits.ts'
import { Outbox } from './outbox.ts'
import { followPeers } from './following.ts'
import { Publishing, type PublishingBroker } from './publishing.ts'
import { enforceRevocation } from './revoked.ts'
import { sweepEveryMs } from '../store/limits.ts'
import { StorePersistence } from '../store/persistence.ts'
import type { Store } from '../store/store.ts'
import type { StoredSession } from '../store/stored-session.ts'
import type { Origin, Session } from './session.ts'
import { Sessions } from './sessions.ts'
import { publishLeftWills } from './left-wills.ts'
import { guardStore, type SessionStore } from './stored-sessions.ts'

/** What an engine is made of. */
export interface EngineOptions {
  /** The policy in force for an identity; asked for every decision. */
  readonly policy: (identity: Identity) => Policy
  /** What is known of revoked certificates; asked for every session, heard at every change. */
  readonly revocation: RevocationView
  readonly limits: EngineLimits
  /** What is kept for longer than a connection; whoever opened it closes it after the engine. */
  readonly store: Store
  /** What an identity may send in a while. */
  readonly identityGuard: IdentityGuard
  readonly counts: BrokerCounts
  readonly log: Logger
  /** Hears of every session when the client has been told that it is connected. */
  readonly connected?: ((identity: Identity) => void) | undefined
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** MQTT behind the TLS listeners: aedes, with every gate of the policy in front of it. */
export interface Engine {
  /** Takes over a connection whose peer is proven. `stream` carries MQTT from its first byte. */
  readonly accept: (stream: Duplex, identity: Identity, origin: Origin) => Session
  /** All connections, from the end of their handshake on, the oldest first. */
  readonly sessions: ReadonlySet<Session>
  /** Ends all sessions; what was acknowledged is forwarded first. */
  readonly close: () => Promise<void>
}

interface Retained {
  readonly topic: string
  readonly payload: string | Uint8Array
}

/** The parts of aedes that its typings leave out. */
type Broker = Aedes & {
  readonly persistence: SessionStore & Pick<StorePersistence, 'createRetainedStream'>
  readonly mq: MessageBus
}

/** Starts an engine: aedes with the hooks of `createHooks`, the store of `guardStore`, and an eye on expiry. */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  const { policy, revocation, limits, store, identityGuard, counts, log, now } = options
  const { peers } = store
  // Several brokers know it together, when a message is accepted; at QoS 0 nobody waits for that.
  const mayRetain: GateOptions['mayRetain'] = (identity, { topic, payload, qos = 0 }) =>
    (peers !== undefined && qos > 0) || store.retained.mayKeep(identity, topic, payload.length)
  const gates = createGates({ policy, revocation, counts, log, now, mayRetain, ...limits })
  const presence = new Presence(
    (message) => send(broker, message),
    now,
    peers && ((id) => retained(`${presenceTopic}/${id}`)),
  )
  const sessions = new Sessions(counts, log, {
    entered: (session) => presence.entered(session),
    registered: (session) => presence.registered(session),
    left: (session) => {
      leave(session)
      presence.left(session)
    },
  })
  const publishing = new Publishing({ store, gates, sessions, mayQueue, maxInflight: limits.maxInflight })
  const storeFailed = (error: unknown): void => log.error({ err: error }, 'session store failed')

  const broker = (await Aedes.createBroker({
    ...createHooks({
      policy,
      revocation,
      gates,
      sessions,
      publishing,
      store,
      identityGuard,
      maxKeepaliveSeconds: limits.maxKeepaliveSeconds,
      forget: (client, filter) => void forget(client, filter).catch(storeFailed),
    }),
    persistence: new StorePersistence(
      store,
      (client) => sessions.of(client)?.identity,
      (client) => sessions.of(client)?.stored,
    ),
    connectTimeout: limits.connectTimeoutMs,
    maxInflightInbound: limits.maxInflight,
    // No queue in the emitter. With one, messages to nobody are taken from it by recursion, so that a few thousand
    // of them behind one slow subscriber overflow the stack and end the process; and that subscriber, with 100
    // messages on their way to it, stops everybody else's. A publisher still waits for its own subscribers.
    concurrency: 0,
  })) as Broker
  const forget = guardStore(broker.persistence, {
    hasFilter: (client, filter) => {
      const session = sessions.of(client)
      return session?.filters?.has(filter) === true && gates.maySubscribe(session, filter)
    },
    onUnsubscribe: (client, filters) => sessions.of(client)?.giveUp(filters),
    isResumed: (key) => store.sessions.get(key)?.isResumed === true,
    isFresh: (packet) => publishing.isFresh(packet),
    hasEnded: (client) => sessions.of(client)?.stream.destroyed === true,
    onUnkept: (client) => sessions.of(client)?.end('store-failed'),
  })
  publishing.cover(broker as unknown as PublishingBroker)
  const retained = (topic: string): AsyncIterable<Retained> => broker.persistence.createRetainedStream(topic)
  // Of several brokers nobody knows alone who is not connected.
  if (peers === undefined) await presence.restart(retained(`${presenceTopic}/+`))
  else followPeers(peers, { broker, publishing, sessions, presence, store })
  unsubscribeAtOnce(broker)
  follow(broker, sessions, storeFailed, equip, options.connected)
  const revoked = enforceRevocation(sessions, revocation)
  const settle = (): void => {
    if (!revocation.isClosed()) publishLeftWills(store.wills, { gates, publishing, broker, counts, log })
  }
  settle()
  const expiry = watchExpiry(sessions.open, now, () => {
    revoked.sweepIfClosed()
    settle()
  })
  const sweeping = setInterval(() => store.sweep(), sweepEveryMs(store.limits)).unref()

  /** May a message on this topic wait for this session? By the rights of now, not by those of the SUBSCRIBE. */
  function mayQueue({ owner }: StoredSession, topic: string): boolean {
    const verdict = owner && authorize(policy(owner), owner, 'receive', topic)
    if (verdict?.allowed === false) count(counts.denied, `receive ${verdict.reason}`)
    return verdict?.allowed === true
  }

  function leave(session: Session): void {
    const { outbox, stored, key } = session
    outbox?.close()
    if (stored !== undefined) store.leave(stored)
    session.stored = undefined
    if (key !== undefined) peers?.release(key)
  }

  function equip(client: DeliveringClient, session: Session): void {
    const { stored } = session
    if (stored === undefined) return
    const { maxUnacknowledged } = limits
    session.outbox = new Outbox({ client, session, stored, store, gates, maxUnacknowledged })
  }

  return {
    sessions: sessions.open,
    accept: (stream, identity, origin) => {
      const session = sessions.add(stream, identity, origin)
      session.sinceMs = now()
      // After `add`, and in the same turn: what becomes known from here on finds the session in the index.
      if (!revoked.admit(session)) return session
      guardStream(
        stream,
        limits,
        ({ reason, detail }) => sessions.refuse(session, 'packet-refused', reason, detail),
        {
          meter: identityGuard.meterOf(identity),
          onLimit: ({ limit, isAbuse }) => {
            if (isAbuse) session.end(limit!)
            else count(counts.heldBack, limit!)
          },
        },
      )
      const client = broker.handle(stream)
      isolateSlowReader(client as unknown as PatientClient, session, limits.drainTimeoutMs)
      const outbox = (): Outbox | undefined => session.outbox
      const { mayReceive } = gates
      routeDeliveries(client as unknown as DeliveringClient, { session, store, mayQueue, mayReceive, outbox })
      sessions.bind(client, session)
      return session
    },
    close: async () => {
      // Certificates go on to expire, and to be revoked, while the sessions end one after the other.
      await drain(sessions.open, broker.mq, limits.drainSpreadMs)
      expiry.close()
      clearInterval(sweeping)
      await presence.settled()
      revoked.close()
      await new Promise<void>((resolve) => broker.close(() => resolve()))
    },
  }
}

/**
 * Makes aedes finish an UNSUBSCRIBE in the turn in which it begins. By itself it strikes the filter from the client's
 * list a turn later, and with it one that was subscribed again in between: that one would be live beyond every
 * count, and for good, even after its client is gone.
 */
function unsubscribeAtOnce(broker: Broker): void {
  const unsubscribe = broker.unsubscribe.bind(broker)
  broker.unsubscribe = (filter, deliver, done?: () => void) => {
    unsubscribe(filter, deliver, () => undefined)
    done?.()
  }
}

/** Publishes what the broker says in its own name. What becomes of it is the store's matter, which says so itself. */
function send(broker: Broker, message: OwnMessage): Promise<void> {
  return new Promise((resolve) => {
    broker.publish({ cmd: 'publish', dup: false, ...message }, () => resolve())
  })
}

/** Keeps the sessions in step with what aedes says about its clients. */
function follow(
  broker: Broker,
  sessions: Sessions,
  storeFailed: (error: unknown) => void,
  equip: (client: DeliveringClient, session: Session) => void,
  connected: EngineOptions['connected'],
): void {
  broker.on('client', (client) => {
    const session = sessions.of(client)
    if (session === undefined) return
    sessions.register(session)
    equip(client as unknown as DeliveringClient, session)
  })
  broker.on('clientReady', (client) => {
    const session = sessions.of(client)
    session?.outbox?.open()
    if (session !== undefined && !session.isBarred) connected?.(session.identity)
  })
  broker.on('clientDisconnect', (client) => {
    const session = sessions.of(client)
    if (session === undefined) return
    if ((client as unknown as { _disconnected: boolean })._disconnected) session.departure = 'disconnected'
    sessions.letGo(session)
  })
  broker.on('keepaliveTimeout', (client) => {
    const session = sessions.of(client)
    if (session !== undefined) sessions.lapse(session)
  })
  broker.on('unsubscribe', (filters, client) => {
    // Of a stored session the store has heard it before, when the packet came.
    if (client.clean) sessions.of(client)?.giveUp(filters)
  })
  for (const event of ['clientError', 'connectionError'] as const) {
    broker.on(event, (client, error) => {
      const session = sessions.of(client)
      if (session !== undefined) sessions.fail(session, error)
    })
  }
  const emitter: EventEmitter = broker
  emitter.on('error', storeFailed)
}
