import type { Duplex } from 'node:stream'
import type { TLSSocket, TlsOptions } from 'node:tls'
import type { Logger } from '@fleetroot/service'
import type { PeerVerdict } from '../admission/peer.ts'
import type { Identity } from '../admission/identity.ts'
import type { BrokerCounts } from '../metrics/counts.ts'
import type { DoorOptions } from './front-door.ts'
import type { Origin } from '../engine/session.ts'
import type { IdentityGuard } from '../guard/identity-guard.ts'

/**
 * Connections that may wait until they are accepted, by default 511; the system takes no more than net.core.somaxconn. When a fleet
 * comes back at once, whoever finds no place is dropped by the system and tries again after a second or more.
 */
export const backlog = 4_096

/** What every listener is made of. */
export interface ListenerOptions extends DoorOptions {
  /** For logs, metrics and messages. */
  readonly name: string
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  readonly isShared?: boolean | undefined
  readonly tls: TlsOptions
  /** Decides about a finished handshake. */
  readonly admit: (socket: TLSSocket) => PeerVerdict
  /** Gets a stream of MQTT with a proven peer. */
  readonly accept: (stream: Duplex, identity: Identity, origin: Origin) => void
  /** The budget of identities, shared by all listeners. */
  readonly identityGuard: IdentityGuard
  readonly counts: BrokerCounts
  readonly log: Logger
}

/** A listener that is listening. */
export interface Listener {
  readonly port: number
  /** For new connections; open ones keep what they were made with. */
  readonly setSecureContext: (tls: TlsOptions) => void
  /** 48 bytes. Tickets made with other keys are no longer accepted. */
  readonly setTicketKeys: (keys: Buffer) => void
  /** Stops listening; connections that are open stay. */
  readonly refuse: () => void
  /** The same, and cuts every connection that is left. */
  readonly close: () => Promise<void>
}
