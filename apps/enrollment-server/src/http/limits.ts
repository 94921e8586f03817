/** The largest body that is read: a CSR with an RSA-4096 key and many names has a tenth of it. */
export const bodyLimitBytes = 64 * 1024

/**
 * How long a client may take, so that none can hold a connection by sending one octet at a time. Handed to
 * the server that Node makes; the check of all connections runs every `connectionsCheckingInterval`.
 */
export const serverLimits = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 10_000,
  // Of those that are streamed; for all others see `bodyTimeoutMs`.
  requestTimeout: 15 * 60_000,
  keepAliveTimeout: 60_000,
  connectionsCheckingInterval: 1000,
  // Looked at where the answer can say so.
  requireHostHeader: false,
} as const

/** How long the body of a request may take that is not streamed. */
export const bodyTimeoutMs = 20_000

/** How often one client address may ask within a minute. */
export interface RateLimits {
  readonly requestsPerMinute: number
  /** Of these, requests with a token that is not valid, and as many with a manufacturer certificate that is refused. */
  readonly failedTokensPerMinute: number
}
