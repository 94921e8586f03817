import type { Rate } from './rate.ts'

/** What may come in from outside, before anybody is known and after. */
export interface GuardLimits {
  /** Connections accepted, of all addresses together. */
  readonly acceptRate: Rate
  /** Connections accepted of one address (of IPv6: one /64). */
  readonly acceptRatePerAddress: Rate
  /** Connections whose handshake is not done, of all addresses together. */
  readonly maxHandshakes: number
  /** The same of one address. */
  readonly maxHandshakesPerAddress: number
  /** From the first packet of a connection to a proven identity: PROXY header, TLS and, over WSS, the HTTP upgrade. */
  readonly handshakeTimeoutMs: number
  /** New connections of one identity. */
  readonly connectRate: Rate
  /** Connections of one identity at the same time. */
  readonly maxConnections: number
  /** PUBLISH, SUBSCRIBE, UNSUBSCRIBE and PINGREQ of one identity, in all of its sessions. */
  readonly messageRate: Rate
  /** Bytes that one identity sends, in all of its sessions. */
  readonly byteRate: Rate
  /** Topic filters that one identity asks for or gives up, in all of its sessions. */
  readonly filterRate: Rate
  /** How long an identity may be held back without a pause before it is disconnected. */
  readonly maxHeldBackMs: number
}

/**
 * One core does about 700 full handshakes a second. The burst of one address lets a site, or the customers of one carrier,
 * come back behind one NAT after an outage; its steady rate leaves most of the core to others, and half of the open handshakes
 * leaves them a way in. Who serves more from one address, such as a load balancer that does not speak the PROXY protocol,
 * raises the rate.
 *
 * A change of a filter is written, and told to all nodes that share a store, and few devices make any but after a CONNECT.
 */
export const defaultGuardLimits: GuardLimits = {
  acceptRate: { perSecond: 1_000, burst: 4_000 },
  acceptRatePerAddress: { perSecond: 200, burst: 4_000 },
  maxHandshakes: 2_000,
  maxHandshakesPerAddress: 1_000,
  handshakeTimeoutMs: 10_000,
  connectRate: { perSecond: 2, burst: 60 },
  maxConnections: 100,
  messageRate: { perSecond: 1_000, burst: 5_000 },
  byteRate: { perSecond: 4 * 1024 * 1024, burst: 8 * 1024 * 1024 },
  filterRate: { perSecond: 20, burst: filterBurstOf(100) },
  maxHeldBackMs: 60_000,
}

/** Filters changed at once, where nothing is said of it: a session with all of its filters may come back ten times. */
export function filterBurstOf(maxFilters: number): number {
  return 10 * maxFilters
}

/** Addresses and identities that are remembered, each: about 100 bytes for one. */
export const maxRemembered = 50_000
