import { defaultPacketLimits, type PacketLimits } from '../listener/packet-guard.ts'

/** What one client may use up. */
export interface EngineLimits extends PacketLimits {
  /** Publishes and subscriptions denied until the client is disconnected. */
  readonly maxDenials: number
  /** QoS 2 messages of one session that wait for their PUBREL, in however many connections they came. */
  readonly maxInflight: number
  /** Messages sent to one session and not acknowledged by it; the others wait in its queue. */
  readonly maxUnacknowledged: number
  /** Longest keep alive in seconds; 0, never, is not allowed. */
  readonly maxKeepaliveSeconds: number
  /** From the end of the TLS handshake to a whole CONNECT. */
  readonly connectTimeoutMs: number
  /** How long a client may leave its socket full without taking a byte. */
  readonly drainTimeoutMs: number
  /** Bytes that may wait in the connection of a client that does not read. */
  readonly maxOutboundBytes: number
  /** How long the sessions of devices take to end when the broker stops. */
  readonly drainSpreadMs: number
}

export const defaultLimits: EngineLimits = {
  ...defaultPacketLimits,
  maxDenials: 20,
  maxInflight: 100,
  maxUnacknowledged: 1_000,
  maxKeepaliveSeconds: 3_600,
  connectTimeoutMs: 10_000,
  drainTimeoutMs: 2_000,
  maxOutboundBytes: 4 * 1024 * 1024,
  drainSpreadMs: 5_000,
}
