import type { TLSSocket } from 'node:tls'
import type { Logger } from '@fleetroot/service'
import { type KeyAndCertificate, serverTlsOptions, type TlsMode } from '@fleetroot/tls-config'
import type { Identity } from './admission/identity.ts'
import { admitPeer } from './admission/peer.ts'
import { type Authorities, listenerTrust, peerIssuers } from './authorities/authorities.ts'
import { createEngine } from './engine/engine.ts'
import { defaultLimits, type EngineLimits } from './engine/limits.ts'
import { AcceptGuard } from './guard/accept-guard.ts'
import { IdentityGuard } from './guard/identity-guard.ts'
import { defaultGuardLimits, type GuardLimits } from './guard/limits.ts'
import type { Session } from './engine/session.ts'
import { type ListenerPlan, type Listening, openListeners } from './listener/open-listeners.ts'
import { BrokerCounts } from './metrics/counts.ts'
import type { Policy } from '@fleetroot/policy'
import type { RevocationView } from './revocation/revocation.ts'
import { Store } from './store/store.ts'
import { rotateTicketKeys, TicketKeys } from './listener/ticket-keys.ts'

/** All that a broker needs; it reads no file and asks no server. */
export interface BrokerOptions {
  /** Its own key and certificate chain, PEM. */
  readonly identity: KeyAndCertificate
  /** Whose certificates are taken, and for what. */
  readonly authorities: Authorities
  readonly policy: Policy
  /** What is known of revoked certificates; nobody passes before it knows something. */
  readonly revocation: RevocationView
  readonly log: Logger
  /** Default 127.0.0.1. */
  readonly host?: string
  /** MQTT over TLS; default 0, a free one. */
  readonly port?: number
  /** MQTT over secure WebSocket; default 0, a free one. */
  readonly wssPort?: number
  /** `strict` is TLS 1.3 only; default `compatible`. */
  readonly mode?: TlsMode
  /** In place of the two that `host`, `port`, `wssPort` and `mode` describe. */
  readonly listeners?: readonly ListenerPlan[]
  readonly limits?: Partial<EngineLimits & GuardLimits>
  readonly counts?: BrokerCounts
  /** Hears of every session when the client has been told that it is connected. */
  readonly connected?: (identity: Identity) => void
  /** What is kept for longer than a connection; default: in memory, and gone with the broker. The caller closes it after the broker. */
  readonly store?: Store
  /** Keys of the TLS session tickets, which the caller rotates; default: its own, which nobody else has. */
  readonly ticketKeys?: TicketKeys
  /** Milliseconds since 1970; default the system's clock. */
  readonly now?: () => number
}

/** A running broker. */
export interface Broker {
  readonly listening: readonly Listening[]
  /** Ports of the first listener of each kind; 0: there is none. */
  readonly ports: { readonly mqtts: number; readonly wss: number }
  readonly counts: BrokerCounts
  /** All connections, from the end of their handshake on, the oldest first. */
  readonly sessions: ReadonlySet<Session>
  /**
   * Puts another policy in force: for every message and every subscription from now on. `listener`: for what came
   * through that one, which has a policy of its own from now on.
   */
  readonly setPolicy: (policy: Policy, listener?: string) => void
  /** Uses another certificate for new connections. */
  readonly setIdentity: (identity: KeyAndCertificate) => void
  /**
   * Trusts other CAs from now on, of the same trust domain. For new connections: of the sessions that stand, those
   * whose CA is gone end when `BrokerOptions.revocation` says so, and no others.
   */
  readonly setAuthorities: (authorities: Authorities) => void
  /**
   * Stops listening, ends all sessions, those of devices one after the other over `drainSpreadMs`, and closes the
   * listeners. What was acknowledged is forwarded first.
   */
  readonly close: () => Promise<void>
}

/**
 * Starts a broker: MQTT 3.1.1 over mutual TLS and over secure WebSocket, deny by default. Rejects with
 * Node's error when a port is taken, and with `TlsConfigError` when identity or trust are unusable.
 *
 *     const broker = await createBroker({ identity, authorities, policy, revocation, log })
 *     broker.ports.mqtts
 *     await broker.close()
 */
export async function createBroker(options: BrokerOptions): Promise<Broker> {
  const { revocation, log, host = '127.0.0.1', port = 0, wssPort = 0, mode = 'compatible' } = options
  const { counts = new BrokerCounts(), now = Date.now } = options
  const limits = { ...defaultLimits, ...defaultGuardLimits, ...options.limits }
  const { trustDomain } = options.authorities
  let { identity } = options
  let trust = listenerTrust(options.authorities)
  let issuers = peerIssuers(options.authorities)
  const plans = options.listeners ?? [
    { name: 'mqtts', kind: 'mqtts', host, port, mode },
    { name: 'wss', kind: 'wss', host, port: wssPort, mode },
  ]
  const policies = new Map(
    plans.flatMap(({ name, policy }) => (policy === undefined ? [] : [[name, policy]])),
  )
  let common = options.policy
  let isClosing = false
  const policyOf = (listener: string | undefined): Policy => policies.get(listener ?? '') ?? common

  const store = options.store ?? new Store({ log, now })
  const identityGuard = new IdentityGuard(limits, { budget: store.peers?.budget })
  const engine = await createEngine({
    policy: ({ listener }) => policyOf(listener),
    store,
    identityGuard,
    revocation,
    limits,
    counts,
    log,
    connected: options.connected,
    now,
  })
  const shared = {
    acceptGuard: new AcceptGuard(limits, counts, log),
    identityGuard,
    handshakeTimeoutMs: limits.handshakeTimeoutMs,
    maxFrameBytes: limits.maxPacketBytes,
    counts,
    log,
    tlsFor: (mode: TlsMode) => serverTlsOptions({ identity, trust, mode, clientCertificate: 'required' }),
    admit: (socket: TLSSocket, listener: string) =>
      admitPeer(socket, {
        issuers,
        trustDomain,
        policy: policyOf(listener),
        listener: policies.has(listener) ? listener : undefined,
        now: now(),
        standingOf: revocation.standingOf,
      }),
    accept: (...connection: Parameters<typeof engine.accept>) => {
      if (isClosing) connection[0].destroy()
      else engine.accept(...connection)
    },
  }
  try {
    const listeners = await openListeners(plans, shared)
    const ticketKeys = options.ticketKeys ?? new TicketKeys()
    const rotation =
      options.ticketKeys === undefined ? rotateTicketKeys(revocation, () => ticketKeys.use()) : undefined
    const unfollow = ticketKeys.follow(listeners.setTicketKeys)
    const renewContexts = (): void => {
      listeners.renewContexts()
      // A context comes with random ones of its own.
      listeners.setTicketKeys(ticketKeys.current)
    }
    const portOf = (kind: ListenerPlan['kind']): number =>
      listeners.listening.find((listener) => listener.kind === kind)?.port ?? 0
    return {
      listening: listeners.listening,
      ports: { mqtts: portOf('mqtts'), wss: portOf('wss') },
      counts,
      sessions: engine.sessions,
      setPolicy: (next, listener) => {
        if (listener === undefined) common = next
        else policies.set(listener, next)
      },
      setIdentity: (next) => {
        identity = next
        renewContexts()
      },
      setAuthorities: (next) => {
        trust = listenerTrust(next)
        issuers = peerIssuers(next)
        renewContexts()
      },
      close: async () => {
        isClosing = true
        listeners.refuse()
        rotation?.close()
        unfollow()
        await engine.close()
        await listeners.close()
      },
    }
  } catch (error) {
    await engine.close()
    throw error
  }
}
