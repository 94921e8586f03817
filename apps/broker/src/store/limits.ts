/** What the store keeps, and for whom how much of it. Sizes are bytes, times milliseconds. */
export interface StoreLimits {
  /** Messages that wait for one session, sent and unacknowledged ones included. At most 65,000: each has a packet identifier. */
  readonly maxQueuedMessages: number
  /** The same in bytes. */
  readonly maxQueuedBytes: number
  /** Messages that wait for all sessions together. */
  readonly maxQueuedBytesInTotal: number
  /** How long a message waits for a session that does not come back. */
  readonly maxQueuedMs: number
  /** Stored sessions of one identity, each under a client id of its own. */
  readonly maxSessions: number
  /** How long a session is kept that does not come back. */
  readonly sessionExpiryMs: number
  /** Retained messages of one device, and their bytes. */
  readonly maxRetainedMessages: number
  readonly maxRetainedBytes: number
  /** Retained messages of all identities together. */
  readonly maxRetainedBytesInTotal: number
}

const mebibyte = 1024 * 1024
const dayMs = 24 * 60 * 60 * 1000

export const defaultStoreLimits: StoreLimits = {
  maxQueuedMessages: 10_000,
  maxQueuedBytes: 16 * mebibyte,
  maxQueuedBytesInTotal: 256 * mebibyte,
  maxQueuedMs: 7 * dayMs,
  maxSessions: 100,
  sessionExpiryMs: 30 * dayMs,
  maxRetainedMessages: 1_000,
  maxRetainedBytes: mebibyte,
  maxRetainedBytesInTotal: 256 * mebibyte,
}

/** How often a store is looked through for what is too old, in milliseconds: each minute, and more often where little is too old. */
export function sweepEveryMs({ maxQueuedMs, sessionExpiryMs }: StoreLimits): number {
  return Math.max(1_000, Math.min(60_000, maxQueuedMs / 4, sessionExpiryMs / 4))
}

/** What the store costs per message beyond topic and payload, about, so that empty messages are not free. */
export const messageOverheadBytes = 200
