import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { fullJitterBackoff } from './backoff.ts'

describe('full-jitter back-off', () => {
  it('doubles the ceiling with each attempt up to the cap', () => {
    const almostOne = () => 1 - Number.EPSILON
    const backoff = fullJitterBackoff({ baseMs: 1000, capMs: 10_000, random: almostOne })
    expect([0, 1, 2, 3, 4, 50].map(backoff)).toEqual([999, 1999, 3999, 7999, 9999, 9999])
  })

  it('may wait nothing at all: the jitter is full', () => {
    expect(fullJitterBackoff({ random: () => 0 })(12)).toBe(0)
  })

  it('stays within the cap for every attempt, also after years of failures', () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (attempt, random) => {
          const waitMs = fullJitterBackoff({ baseMs: 500, capMs: 60_000, random: () => random })(attempt)
          expect(waitMs).toBeGreaterThanOrEqual(0)
          expect(waitMs).toBeLessThan(60_000)
        },
      ),
    )
  })

  it.each([
    [{ baseMs: 0 }, 'baseMs is 0: give a positive number of milliseconds'],
    [{ baseMs: Number.NaN }, 'baseMs is NaN: give a positive number of milliseconds'],
    [{ baseMs: 500, capMs: 100 }, 'capMs is 100: give a number of at least baseMs, 500'],
    [{ capMs: Infinity }, 'capMs is Infinity: give a number of at least baseMs, 500'],
  ])('refuses the limits %o', (options, message) => {
    expect(() => fullJitterBackoff(options)).toThrow(
      expect.objectContaining({ code: 'option-invalid', message }),
    )
  })
})
