import type { AedesOptions, Client, ConnectPacket, PublishPacket } from 'aedes'
import { admitConnect } from '../admission/connect.ts'
import type { Identity } from '../admission/identity.ts'
import { refuseStanding } from '../admission/standing.ts'
import { type IdentityGuard, identityRefusals } from '../guard/identity-guard.ts'
import type { Policy } from '@fleetroot/policy'
import type { RevocationView } from '../revocation/revocation.ts'
import { refuseConnect } from './connack.ts'
import { type Gates, silence } from './gates.ts'
import type { Session } from './session.ts'
import type { Publishing } from './publishing.ts'
import type { Store } from '../store/store.ts'
import type { Sessions } from './sessions.ts'
import { sessionMark } from './stored-sessions.ts'

/** What the hooks decide by. */
export interface HookOptions {
  readonly policy: (identity: Identity) => Policy
  readonly revocation: Pick<RevocationView, 'standingOf'>
  readonly gates: Gates
  readonly sessions: Sessions
  readonly maxKeepaliveSeconds: number
  readonly publishing: Publishing
  readonly store: Store
  readonly identityGuard: IdentityGuard
  /** Takes a filter out of the stored session of a client. */
  readonly forget: (client: Client, filter: string) => void
}

type Hooks = Required<
  Pick<
    AedesOptions,
    'preConnect' | 'authenticate' | 'authorizePublish' | 'authorizeSubscribe' | 'authorizeForward'
  >
>
/** Connect return code 5, MQTT 3.1.1 table 3.1. */
const notAuthorized = 5
const identifierRejected = 2
const serverUnavailable = 3

type ConnectAnswer = Parameters<Hooks['preConnect']>[2]

/**
 * aedes' hooks, which are where MQTT meets the policy:
 *
 *     CONNECT    preConnect            standing, client id, level, keep alive, will; takeover; standing again;
 *                                      then `authenticate` agrees
 *     PUBLISH    authorizePublish      also for wills, when they are published; then into the store
 *     SUBSCRIBE  authorizeSubscribe    also for every subscription of a restored session
 *     delivery   authorizeForward      live, retained and queued messages
 *
 * A client without a session, which cannot be, may do nothing.
 */
export function createHooks(options: HookOptions): Hooks {
  const { policy, revocation, gates, sessions, publishing, store, identityGuard } = options
  const { maxKeepaliveSeconds, forget } = options

  async function connect(session: Session, packet: ConnectPacket, done: ConnectAnswer): Promise<void> {
    // Seconds may lie between the handshake and the CONNECT.
    const standing = refuseStanding(revocation.standingOf(session.identity))
    if (standing !== undefined) {
      sessions.refuse(session, standing.code, standing.code, standing.detail)
      return refuseConnect(session.stream, notAuthorized, () => done(new Error(standing.code), false))
    }
    const verdict = admitConnect(policy(session.identity), session.identity, packet, maxKeepaliveSeconds)
    if (!verdict.admitted) {
      sessions.refuse(session, 'connect-refused', verdict.code, verdict.detail)
      return refuseConnect(session.stream, verdict.returnCode, () => done(new Error(verdict.code), false))
    }
    if (store.journal.isFailing) return refuseUnkept(session, done)
    if (packet.clean === false && !store.mayOpen(verdict.sessionKey, session.identity)) {
      const detail = `${session.identity.id} has ${store.limits.maxSessions} stored sessions already; end one with clean session 1`
      sessions.refuse(session, 'connect-refused', 'too-many-sessions', detail)
      return refuseConnect(session.stream, identifierRejected, () =>
        done(new Error('too-many-sessions'), false),
      )
    }
    const excess = await identityGuard.join(session.identity, session.gone)
    if (excess !== undefined) {
      sessions.refuse(session, 'connect-refused', excess, identityRefusals[excess])
      return refuseConnect(session.stream, serverUnavailable, () => done(new Error(excess), false))
    }
    if (session.stream.destroyed || session.isBarred) return done(new Error('the connection ended'), false)
    packet.clientId = verdict.sessionKey
    const isAlone = await sessions.enter(session, verdict.sessionKey)
    // Whoever was revoked while waiting for an older session to go is barred, and its connection is gone.
    if (!isAlone || session.isBarred) return done(new Error('the connection ended'), false)
    const isStored = packet.clean === false
    const isWanted = (): boolean => !session.stream.destroyed && !session.isBarred
    try {
      const isHeld =
        (await store.peers?.claim(verdict.sessionKey, session.identity, isStored, isWanted)) ?? true
      if (!isHeld) return done(new Error('the connection ended'), false)
    } catch {
      return refuseUnkept(session, done)
    }
    // What there is of an older session is taken up here, and given up by aedes' `cleanSubscriptions` [MQTT-3.1.2-6].
    if (isStored) session.stored = store.open(verdict.sessionKey, session.identity)
    done(null, true)
  }

  function refuseUnkept(session: Session, done: ConnectAnswer): void {
    const detail = 'the store cannot be written, so that nothing could be acknowledged'
    sessions.refuse(session, 'store-failed', 'store-failed', detail)
    refuseConnect(session.stream, serverUnavailable, () => done(new Error('store-failed'), false))
  }

  /** What nobody foresaw ends this connection, not the process. */
  async function answer(session: Session, packet: ConnectPacket, done: ConnectAnswer): Promise<void> {
    try {
      await connect(session, packet, done)
    } catch (error) {
      done(error as Error, false)
    }
  }

  /** The same for a message: what is thrown here would end the process, and anybody could say it again. */
  function receive(session: Session, packet: PublishPacket, done: (error?: Error | null) => void): void {
    try {
      publishing.receive(session, packet, done)
    } catch (error) {
      sessions.break(session, error as Error)
    }
  }

  return {
    preConnect: (client, packet, done) => {
      const session = sessions.of(client)
      if (session === undefined) done(new Error('no identity'), false)
      else void answer(session, packet, done)
    },

    authenticate: (client, _username, _password, done) => {
      // The certificate is the credential; a user name and password are neither needed nor looked at.
      const session = sessions.of(client)
      done(null, session?.state === 'admitted' && !session.isBarred)
    },

    authorizePublish: (client, packet, done) => {
      const session = client === null ? undefined : sessions.of(client)
      // Without a client: the will of a broker that is gone, whose owner nobody can vouch for any more.
      if (session === undefined) silence(packet)
      else if (isWillOf(client, packet)) {
        if (!gates.mayPublishWill(session.identity, packet)) silence(packet)
      } else {
        // Without an answer aedes forgets the packet: thousands may have come in one piece with those denied.
        if (gates.isSpent(session)) return
        return receive(session, packet, done)
      }
      done(null)
    },

    authorizeSubscribe: (client, subscription, done) => {
      if (subscription === sessionMark) return done(null, null)
      const session = sessions.of(client)
      if (session !== undefined && gates.grant(session, subscription.topic)) return done(null, subscription)
      // A filter that was stored under an older policy goes from the store as well.
      if (!client.clean) forget(client, subscription.topic)
      return done(null, null)
    },

    authorizeForward: (client, packet) => {
      const session = sessions.of(client)
      return session !== undefined && gates.mayReceive(session, packet) ? packet : null
    },
  }
}

/** aedes asks for a will with the very object of the CONNECT packet, while its client still has it. */
function isWillOf(client: Client | null, packet: PublishPacket): boolean {
  return (client as { will?: unknown } | null)?.will === packet
}
