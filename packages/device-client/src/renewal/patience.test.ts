import { describe, expect, it } from 'vitest'

import type { StoredIdentity } from '../identity/stored-identity.ts'
import { renewalBackoff, renewalTime } from './patience.ts'

/** An identity that was obtained at 0, under a certificate whose notBefore is an hour earlier. */
function living(lifeMs: number): StoredIdentity {
  const certificate = { notBefore: new Date(-3_600_000), notAfter: new Date(lifeMs) }
  return { certificate, obtainedAt: new Date(0) } as StoredIdentity
}

const second = 1_000
const day = 86_400_000

describe('the time of a renewal', () => {
  it('is between 2/3 and just over 3/4 of the life, however short that is against the backdating', () => {
    for (const life of [30 * second, 30 * day]) {
      expect(renewalTime(living(life), () => 0)).toBe((life * 2) / 3)
      expect(renewalTime(living(life), () => 0.5)).toBeCloseTo(life * (2 / 3 + 0.05), -2)
      expect(renewalTime(living(life), () => 0.999_999)).toBeLessThanOrEqual(life * (2 / 3 + 0.1))
    }
  })
})

describe('the wait after a renewal that failed', () => {
  it('is short for a short life, and never more than an hour', () => {
    const longest = () => 0.999_999
    const short = renewalBackoff(living(30 * second), longest)
    expect([short(0), short(99)]).toEqual([499, 2_499])
    const long = renewalBackoff(living(30 * day), longest)
    expect([long(0), long(99)]).toEqual([59_999, 3_599_996])
  })

  it('is anything from nothing on: full jitter', () => {
    expect(renewalBackoff(living(30 * day), () => 0)(99)).toBe(0)
  })

  it('is defined for a certificate without any life left', () => {
    expect(renewalBackoff(living(0), () => 0)(0)).toBe(0)
  })
})
