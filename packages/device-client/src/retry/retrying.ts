import { setTimeout as wait } from 'node:timers/promises'

import { DeviceClientError } from '../error.ts'
import { type Backoff, fullJitterBackoff } from './backoff.ts'
import { retryVerdict } from './verdict.ts'

/** One failed attempt that will be repeated. */
export interface RetryNotice {
  error: unknown
  /** 1 for the first failure. */
  failures: number
  waitMs: number
}

/** How long and how patiently to try. */
export interface RetryOptions {
  /** Default: `fullJitterBackoff()`. */
  backoff?: Backoff
  /** Attempts in all, the first included. Default: no limit. */
  maxAttempts?: number
  /** Ends the wait between two attempts; the attempt itself has its own timeout. */
  signal?: AbortSignal
  onRetry?: (notice: RetryNotice) => void
}

/**
 * Runs `attempt` until it succeeds, a failure is final (see `retryVerdict`) or the limits are reached.
 * Waits the back-off or the server's Retry-After, whichever is longer, plus jitter in the second case so
 * that a fleet told the same second does not return in it.
 *
 * Throws the last failure, or DeviceClientError `aborted`.
 */
export async function retrying<T>(attempt: () => Promise<T>, options: RetryOptions = {}): Promise<T> {
  const { backoff = fullJitterBackoff(), maxAttempts = Infinity, signal, onRetry } = options
  for (let failures = 1; ; failures += 1) {
    if (signal?.aborted) throw aborted(signal)
    try {
      return await attempt()
    } catch (error) {
      const verdict = retryVerdict(error)
      if (!verdict.retry || failures >= maxAttempts) throw error
      const waitMs = verdict.waitMs + backoff(failures - 1)
      onRetry?.({ error, failures, waitMs })
      await waitUnlessAborted(waitMs, signal)
    }
  }
}

async function waitUnlessAborted(waitMs: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await wait(waitMs, undefined, signal ? { signal } : {})
  } catch (error) {
    throw signal?.aborted ? aborted(signal) : error
  }
}

function aborted(signal: AbortSignal): DeviceClientError {
  return new DeviceClientError('aborted', 'stopped before the attempt succeeded', { cause: signal.reason })
}
