import { renewalDue } from '../enrollment/lifetime.ts'
import type { StoredIdentity } from '../identity/stored-identity.ts'
import { type Backoff, fullJitterBackoff } from '../retry/backoff.ts'

type Lived = Pick<StoredIdentity, 'certificate' | 'obtainedAt'>

/** Of the whole life: devices that enrolled in one minute do not all come back in one. */
const JITTER_PART = 0.1

/**
 * When to renew, in milliseconds since 1970: uniform in the tenth of the life that follows `renewalDue`, which
 * leaves nearly a quarter of it for attempts that fail. `random` gives a number in [0, 1).
 */
export function renewalTime(identity: Lived, random: () => number): number {
  const due = renewalDue(identity).getTime()
  return due + Math.floor(random() * JITTER_PART * 3 * untilEnd(identity))
}

/**
 * How to wait between attempts that fail: full jitter, in proportion to the third of the life that is left for
 * them. A certificate of 30 days is tried every minute at first and every hour later on, one of 30 seconds
 * several times in its last ten.
 */
export function renewalBackoff(identity: Lived, random: () => number): Backoff {
  const leftMs = untilEnd(identity)
  return fullJitterBackoff({
    baseMs: within(leftMs / 60, 500, 60_000),
    capMs: within(leftMs / 4, 1_000, 3_600_000),
    random,
  })
}

const A_MINUTE_MS = 60_000
const A_DAY_MS = 86_400_000

/**
 * How long to wait before the trust anchors are looked at: within a minute of the start, when a device may have been
 * away for a rollover, then once a day, and never longer than the last third of the certificate's life, which
 * is how a fleet with certificates that live for seconds keeps up.
 */
export function trustLookAfterMs(looks: number, identity: Lived, random: () => number): number {
  const most = looks === 0 ? A_MINUTE_MS : A_DAY_MS
  // At least half of it: many devices that started together part.
  return (
    Math.min(most, within(untilEnd(identity), 1_000, A_DAY_MS)) *
    (looks === 0 ? random() : (1 + random()) / 2)
  )
}

/** Milliseconds between `renewalDue` and the end: a third of the life. */
function untilEnd(identity: Lived): number {
  return Math.max(0, identity.certificate.notAfter.getTime() - renewalDue(identity).getTime())
}

function within(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value))
}
