import type { TLSSocket } from 'node:tls'
import type { Logger } from '@fleetroot/service'
import { type KeyAndCertificate, serverTlsOptions, type TlsMode } from '@fleetroot/tls-config'
import { admitPeer } from './admission/peer.ts'
import { type Authorities, listenerTrust, peerIssuers } from './authorities/authorities.ts'
import { createEngine } from './engine/engine.ts'
import { defaultLimits, type EngineLimits } from './engine/limits.ts'
import { listenMqtts } from './listener/mqtts.ts'
import { listenWss } from './listener/wss.ts'
import { BrokerCounts } from './metrics/counts.ts'
import type { Policy } from '@fleetroot/policy'
import type { RevocationView } from './revocation/revocation.ts'
import { rotateTicketKeys } from './listener/ticket-keys.ts'

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
  readonly limits?: Partial<EngineLimits>
  readonly counts?: BrokerCounts
  /**
   * Keys of the TLS session tickets, 48 bytes, asked for at the start and at every rotation; default: random.
   * Listeners that are to resume each other's sessions share them.
   */
  readonly ticketKeys?: () => Buffer
  /** Milliseconds since 1970; default the system's clock. */
  readonly now?: () => number
}

/** A running broker. */
export interface Broker {
  readonly ports: { readonly mqtts: number; readonly wss: number }
  readonly counts: BrokerCounts
  /** Puts another policy in force: for every message and every subscription from now on. */
  readonly setPolicy: (policy: Policy) => void
  /** Uses another certificate for new connections. */
  readonly setIdentity: (identity: KeyAndCertificate) => void
  /**
   * Trusts other CAs from now on, of the same trust domain. For new connections: of the sessions that stand, those
   * whose CA is gone end when `BrokerOptions.revocation` says so, and no others.
   */
  readonly setAuthorities: (authorities: Authorities) => void
  /** Ends all sessions and closes the listeners. */
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
  const limits = { ...defaultLimits, ...options.limits }
  const { trustDomain } = options.authorities
  let { identity } = options
  let trust = listenerTrust(options.authorities)
  let issuers = peerIssuers(options.authorities)
  let policy = options.policy
  let isClosing = false
  const tls = () => serverTlsOptions({ identity, trust, mode, clientCertificate: 'required' })
  const engine = await createEngine({ policy: () => policy, revocation, limits, counts, log, now })
  const shared = {
    host,
    tls: tls(),
    counts,
    log,
    admit: (socket: TLSSocket) =>
      admitPeer(socket, {
        issuers,
        trustDomain,
        policy,
        now: now(),
        standingOf: revocation.standingOf,
      }),
    accept: (...connection: Parameters<typeof engine.accept>) => {
      if (isClosing) connection[0].destroy()
      else engine.accept(...connection)
    },
  }
  try {
    const mqtts = await listenMqtts({ ...shared, port })
    try {
      const wss = await listenWss({ ...shared, port: wssPort, maxFrameBytes: limits.maxPacketBytes })
      const tickets = rotateTicketKeys([mqtts, wss], revocation, options.ticketKeys)
      const renewContexts = (): void => {
        const next = tls()
        for (const listener of [mqtts, wss]) listener.setSecureContext(next)
        tickets.rotate()
      }
      return {
        ports: { mqtts: mqtts.port, wss: wss.port },
        counts,
        setPolicy: (next) => void (policy = next),
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
          tickets.close()
          await engine.close()
          await Promise.all([mqtts.close(), wss.close()])
        },
      }
    } catch (error) {
      await mqtts.close()
      throw error
    }
  } catch (error) {
    await engine.close()
    throw error
  }
}
