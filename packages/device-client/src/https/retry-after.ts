/** A server may ask for patience, but not switch a fleet off for good. */
const MAX_MS = 24 * 3_600_000

/**
 * The Retry-After header in milliseconds, at most one day: seconds, or a date relative to `now` (RFC 9110
 * section 10.2.3). Undefined if it is missing or neither.
 */
export function retryAfterMs(header: string | undefined, now: Date): number | undefined {
  if (header === undefined) return undefined
  const seconds = /^\s*(\d{1,9})\s*$/.exec(header)?.[1]
  if (seconds !== undefined) return Math.min(Number(seconds) * 1000, MAX_MS)
  const date = Date.parse(header)
  return Number.isNaN(date) ? undefined : Math.min(Math.max(0, date - now.getTime()), MAX_MS)
}
