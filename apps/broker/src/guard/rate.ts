/** How much of something may happen: steadily, and at once after a time of quiet. */
export interface Rate {
  readonly perSecond: number
  readonly burst: number
}

/**
 * A token bucket in one number, the time at which the bucket is full again (the generic cell rate algorithm of ITU-T
 * I.371): a table of many thousand buckets costs one number each and no timer. Takes `amount` out of the bucket,
 * whatever is in it; returns the new time, in milliseconds as `now`.
 */
export function charge(fullAt: number, now: number, { perSecond }: Rate, amount: number): number {
  return Math.max(fullAt, now) + (amount * 1_000) / perSecond
}

/** Milliseconds until a bucket that was charged owes nothing any more; 0 or less: it owes nothing. */
export function overdraftMs(fullAt: number, now: number, { perSecond, burst }: Rate): number {
  return fullAt - now - (burst * 1_000) / perSecond
}
