import { DeviceClientError } from '../error.ts'

/** Limits of a back-off: the first wait is at most `baseMs`, no wait is longer than `capMs`. */
export interface BackoffOptions {
  /** Upper bound of the first wait, in milliseconds. Default 500. */
  baseMs?: number
  /** Upper bound of every wait, in milliseconds. Default 60,000. */
  capMs?: number
  /** A number in [0, 1). Default `Math.random`: jitter is no secret. */
  random?: () => number
}

/**
 * Milliseconds to wait before attempt number `attempt` + 1, `attempt` counted from 0:
 * uniform between 0 and min(capMs, baseMs · 2^attempt).
 */
export type Backoff = (attempt: number) => number

/**
 * Exponential back-off with full jitter: of the known variants it makes a fleet that lost its server at
 * one moment return most evenly
 * (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/). Pure: no clock, no state.
 *
 * Throws DeviceClientError `option-invalid` if the limits are not finite, positive and in order.
 */
export function fullJitterBackoff(options: BackoffOptions = {}): Backoff {
  const { baseMs = 500, capMs = 60_000, random = Math.random } = options
  if (!(baseMs > 0 && Number.isFinite(baseMs))) {
    throw new DeviceClientError(
      'option-invalid',
      `baseMs is ${baseMs}: give a positive number of milliseconds`,
    )
  }
  if (!(capMs >= baseMs && Number.isFinite(capMs))) {
    throw new DeviceClientError(
      'option-invalid',
      `capMs is ${capMs}: give a number of at least baseMs, ${baseMs}`,
    )
  }
  return (attempt) => {
    // 2 ** 1024 is Infinity and min() still answers capMs, so a device may fail for years.
    const ceilingMs = Math.min(capMs, baseMs * 2 ** Math.max(0, attempt))
    return Math.floor(random() * ceilingMs)
  }
}
