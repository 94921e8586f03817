import type { EventEmitter } from 'node:events'
import type { Duplex } from 'node:stream'
import type { Logger } from '@fleetroot/service'
import { Aedes } from 'aedes'
import type { Identity } from '../admission/identity.ts'
import { guardStream } from '../listener/guarded-stream.ts'
import type { BrokerCounts } from '../metrics/counts.ts'
import { authorize, type Policy } from '@fleetroot/policy'
import type { RevocationView } from '../revocation/revocation.ts'
import { drain, type MessageBus } from './drain.ts'
import { watchExpiry } from './expiry.ts'
import { createGates } from './gates.ts'
import { createHooks } from './hooks.ts'
import { boundInbound, type InboundStore } from './inbound-window.ts'
import type { EngineLimits } from './limits.ts'
import { keepRetained, type RetainedStore } from './retained-messages.ts'
import { enforceRevocation } from './revoked.ts'
import type { Origin, Session } from './session.ts'
import { Sessions } from './sessions.ts'
import { guardStore, type SessionStore } from './stored-sessions.ts'

/** What an engine is made of. */
export interface EngineOptions {
  /** The policy in force; asked for every decision. */
  readonly policy: () => Policy
  /** What is known of revoked certificates; asked for every session, heard at every change. */
  readonly revocation: RevocationView
  readonly limits: EngineLimits
  readonly counts: BrokerCounts
  readonly log: Logger
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** MQTT behind the TLS listeners: aedes, with every gate of the policy in front of it. */
export interface Engine {
  /** Takes over a connection whose peer is proven. `stream` carries MQTT from its first byte. */
  readonly accept: (stream: Duplex, identity: Identity, origin: Origin) => Session
  /** Ends all sessions; what was acknowledged is forwarded first. */
  readonly close: () => Promise<void>
}

/** The parts of aedes that its typings leave out. */
type Broker = Aedes & {
  readonly persistence: SessionStore & InboundStore & RetainedStore
  readonly mq: MessageBus
}

/** Starts an engine: aedes with the hooks of `createHooks`, the store of `guardStore`, and an eye on expiry. */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  const { policy, revocation, limits, counts, log, now } = options
  const gates = createGates({ policy, revocation, counts, log, now, ...limits })
  const sessions = new Sessions(counts, log)
  const storeFailed = (error: unknown): void => log.error({ err: error }, 'session store failed')

  const broker = (await Aedes.createBroker({
    ...createHooks({
      policy,
      revocation,
      gates,
      sessions,
      maxKeepaliveSeconds: limits.maxKeepaliveSeconds,
      forget: (client, filter) => void forget(client, filter).catch(storeFailed),
    }),
    connectTimeout: limits.connectTimeoutMs,
    drainTimeout: limits.drainTimeoutMs,
    maxInflightInbound: limits.maxInflight,
    // No queue in the emitter. With one, messages to nobody are taken from it by recursion, so that a few thousand
    // of them behind one slow subscriber overflow the stack and end the process; and that subscriber, with 100
    // messages on their way to it, stops everybody else's. A publisher still waits for its own subscribers.
    concurrency: 0,
  })) as Broker
  const store = broker.persistence
  const forget = guardStore(store, {
    hasFilter: (client, filter) => {
      const session = sessions.of(client)
      return session?.filters?.has(filter) === true && gates.maySubscribe(session, filter)
    },
    onUnsubscribe: (client, filters) => sessions.of(client)?.giveUp(filters),
    mayQueue: (key, topic) => {
      const owner = sessions.ownerOf(key)
      // A session of which only the store knows: the gate at delivery decides.
      return owner === undefined || authorize(policy(), owner, 'receive', topic).allowed
    },
    hasEnded: (client) => sessions.of(client)?.stream.destroyed === true,
  })
  keepRetained(store)
  boundInbound(store, limits.maxInflight)
  unsubscribeAtOnce(broker)
  follow(broker, sessions, storeFailed)
  const revoked = enforceRevocation(sessions, revocation)
  const expiry = watchExpiry(sessions.open, now, revoked.sweepIfClosed)

  return {
    accept: (stream, identity, origin) => {
      const session = sessions.add(stream, identity, origin)
      // After `add`, and in the same turn: what becomes known from here on finds the session in the index.
      if (!revoked.admit(session)) return session
      guardStream(stream, limits, ({ reason, detail }) => {
        sessions.refuse(session, 'packet-refused', reason, detail)
      })
      sessions.bind(broker.handle(stream), session)
      return session
    },
    close: async () => {
      expiry.close()
      await drain(sessions.open, broker.mq)
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

/** Keeps the sessions in step with what aedes says about its clients. */
function follow(broker: Broker, sessions: Sessions, storeFailed: (error: unknown) => void): void {
  broker.on('client', (client) => {
    const session = sessions.of(client)
    if (session !== undefined) sessions.register(session)
  })
  broker.on('clientDisconnect', (client) => {
    const session = sessions.of(client)
    if (session !== undefined) sessions.letGo(session)
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
