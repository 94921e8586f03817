import type { EventEmitter } from 'node:events'
import type { Duplex } from 'node:stream'
import type { Logger } from '@fleetroot/service'
import { Aedes, type AedesOptions, type Client, type PublishPacket } from 'aedes'
import { admitConnect } from '../admission/connect.ts'
import type { Identity } from '../admission/identity.ts'
import { guardStream } from '../listener/guarded-stream.ts'
import { type BrokerCounts, count } from '../metrics/counts.ts'
import { authorize, type Policy } from '../policy/policy.ts'
import { refuseConnect } from './connack.ts'
import { drain, type MessageBus } from './drain.ts'
import { watchExpiry } from './expiry.ts'
import { createGates, silence } from './gates.ts'
import type { EngineLimits } from './limits.ts'
import { type Origin, Session } from './session.ts'
import { guardStore, type SessionStore } from './stored-sessions.ts'
import { Takeover } from './takeover.ts'

/** What an engine is made of. */
export interface EngineOptions {
  /** The policy in force; asked for every decision. */
  readonly policy: () => Policy
  readonly limits: EngineLimits
  readonly counts: BrokerCounts
  readonly log: Logger
  /** Milliseconds since 1970. */
  readonly now: () => number
}

type ConnectAnswer = (error: Error | null, success: boolean) => void

/** MQTT behind the TLS listeners: aedes, with every gate of the policy in front of it. */
export interface Engine {
  /** Takes over a connection whose peer is proven. `stream` carries MQTT from its first byte. */
  readonly accept: (stream: Duplex, identity: Identity, origin: Origin) => Session
  /** Ends all sessions; what was acknowledged is forwarded first. */
  readonly close: () => Promise<void>
}

/**
 * Starts an engine. aedes' hooks are where MQTT meets the policy:
 *
 *     CONNECT    preConnect            client id, level, keep alive, will; takeover; then `authenticate` agrees
 *     PUBLISH    authorizePublish      also for wills, when they are published
 *     SUBSCRIBE  authorizeSubscribe    also for every subscription of a restored session
 *     delivery   authorizeForward      live, retained and queued messages
 *     the store  guardStore            what is kept for a session
 */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  const { policy, limits, counts, log, now } = options
  const gates = createGates({ policy, counts, log, now, ...limits })
  const takeover = new Takeover()
  const sessions = new Set<Session>()
  const sessionOf = new WeakMap<object, Session>()
  /** Whose the persistent sessions are, connected or not. */
  const owners = new Map<string, Identity>()

  const hooks: AedesOptions = {
    preConnect: (client, packet, done) => {
      const session = sessionOf.get(client)
      if (session === undefined) return done(new Error('no identity'), false)
      const verdict = admitConnect(policy(), session.identity, packet, limits.maxKeepaliveSeconds)
      if (!verdict.admitted) {
        refused(session, verdict.code, verdict.detail)
        session.endReason = 'connect-refused'
        return refuseConnect(session.stream, verdict.returnCode, () => done(new Error(verdict.code), false))
      }
      packet.clientId = session.key = verdict.sessionKey
      if (packet.clean === true) owners.delete(session.key)
      else owners.set(session.key, session.identity)
      return void enter(session, session.key, done)
    },

    authenticate: (client, _username, _password, done) => {
      // The certificate is the credential; a user name and password are neither needed nor looked at.
      const session = sessionOf.get(client)
      done(null, session?.state === 'admitted')
    },

    authorizePublish: (client, packet, done) => {
      const session = client === null ? undefined : sessionOf.get(client)
      // Without a client: the will of a broker that is gone, whose owner nobody can vouch for any more.
      if (session === undefined) silence(packet)
      else if (!isWillOf(client, packet)) gates.admitPublish(session, packet)
      else if (!gates.mayPublishWill(session, packet)) silence(packet)
      done(null)
    },

    authorizeSubscribe: (client, subscription, done) => {
      const session = sessionOf.get(client)
      if (session !== undefined && gates.grant(session, subscription.topic)) return done(null, subscription)
      // A filter that was stored under an older policy goes from the store as well.
      if (!client.clean) void store.removeSubscriptions(client, [subscription.topic]).catch(storeFailed)
      return done(null, null)
    },

    authorizeForward: (client, packet) => {
      const session = sessionOf.get(client)
      return session !== undefined && gates.mayReceive(session, packet) ? packet : null
    },
  }

  const broker = await Aedes.createBroker({
    ...hooks,
    connectTimeout: limits.connectTimeoutMs,
    drainTimeout: limits.drainTimeoutMs,
    maxInflightInbound: limits.maxInflight,
    // No queue in the emitter. With one, messages to nobody are taken from it by recursion, so that a few thousand
    // of them behind one slow subscriber overflow the stack and end the process; and that subscriber, with 100
    // messages on their way to it, stops everybody else's. A publisher still waits for its own subscribers.
    concurrency: 0,
  })
  const store = (broker as Aedes & { persistence: SessionStore }).persistence
  guardStore(store, {
    maySubscribe: (client, filter) => {
      const session = sessionOf.get(client)
      return session !== undefined && gates.maySubscribe(session, filter)
    },
    mayQueue: (key, topic) => {
      const owner = owners.get(key)
      // A session of which only the store knows: the gate at delivery decides.
      return owner === undefined || authorize(policy(), owner, 'receive', topic).allowed
    },
    hasEnded: (client) => sessionOf.get(client)?.stream.destroyed === true,
  })

  broker.on('client', (client) => {
    const session = sessionOf.get(client)
    if (session === undefined) return
    session.state = 'registered'
    counts.admitted += 1
    log.debug(describe(session), 'session started')
  })
  broker.on('clientDisconnect', (client) => letGo(sessionOf.get(client)))
  broker.on('unsubscribe', (filters, client) => {
    for (const filter of filters) sessionOf.get(client)?.filters?.delete(filter)
  })
  for (const event of ['clientError', 'connectionError'] as const) {
    broker.on(event, (client, error) => {
      const session = sessionOf.get(client)
      if (session !== undefined && session.endReason === undefined) {
        log.info({ ...describe(session), error: error.message }, 'connection failed')
      }
    })
  }
  const emitter: EventEmitter = broker
  emitter.on('error', storeFailed)
  const expiry = watchExpiry(sessions, now)

  function accept(stream: Duplex, identity: Identity, origin: Origin): Session {
    const session = new Session(identity, origin, stream, ended)
    sessions.add(session)
    counts.open += 1
    guardStream(stream, limits, ({ reason, detail }) => {
      refused(session, reason, detail)
      session.endReason = 'packet-refused'
    })
    stream.once('close', () => {
      sessions.delete(session)
      counts.open -= 1
      if (session.state === 'new' || session.state === 'admitted') letGo(session)
    })
    sessionOf.set(broker.handle(stream), session)
    return session
  }

  /** Step 6 of admission: alone on its session, or gone before it was its turn. */
  async function enter(session: Session, key: string, done: ConnectAnswer): Promise<void> {
    session.state = 'waiting'
    await takeover.enter(session, key)
    session.state = 'admitted'
    if (!session.stream.destroyed) return done(null, true)
    letGo(session)
    return done(new Error('the connection ended'), false)
  }

  function letGo(session: Session | undefined): void {
    if (session === undefined) return
    takeover.leave(session)
    session.markGone()
  }

  function refused(session: Session, reason: string, detail: string): void {
    count(counts.refused, reason)
    log.warn({ ...describe(session), reason, detail }, 'connection refused')
  }

  function ended(session: Session): void {
    count(counts.ended, session.endReason ?? 'unknown')
    const level = session.endReason === 'shutdown' ? 'debug' : 'warn'
    log[level]({ ...describe(session), reason: session.endReason }, 'session ended')
  }

  function storeFailed(error: unknown): void {
    log.error({ err: error }, 'session store failed')
  }

  return {
    accept,
    close: async () => {
      expiry.close()
      await drain(sessions, (broker as Aedes & { mq: MessageBus }).mq)
      await new Promise<void>((resolve) => broker.close(() => resolve()))
    },
  }
}

/** aedes asks for a will with the very object of the CONNECT packet, while its client still has it. */
function isWillOf(client: Client | null, packet: PublishPacket): boolean {
  return (client as { will?: unknown } | null)?.will === packet
}

function describe({ identity, origin }: Session): object {
  return { deviceId: identity.id, role: identity.role, serial: identity.serial, ...origin }
}
