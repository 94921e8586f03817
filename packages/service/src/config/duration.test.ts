import { describe, expect, it } from 'vitest'
import { duration, formatDuration, longestTimer, optionalDuration, parseDuration } from './duration.ts'

describe('parseDuration', () => {
  it.each([
    ['500ms', 500],
    ['20s', 20_000],
    ['15m', 900_000],
    ['1h', 3_600_000],
    ['30d', 2_592_000_000],
    ['1h30m', 5_400_000],
    ['1.5s', 1500],
    ['0', 0],
    [' 20s ', 20_000],
  ])('reads %s as %d milliseconds', (text, ms) => {
    expect(parseDuration(text)).toBe(ms)
  })

  it.each([
    ['20', 'has no unit; write 20s for seconds or 20ms'],
    ['-5s', 'must not be negative'],
    ['soon', 'is not a duration; write a number with a unit, such as 500ms, 20s'],
    ['20 s', 'is not a duration'],
    ['20S', 'is not a duration'],
    ['1h 30m', 'is not a duration'],
    ['', 'is not a duration'],
    ['99999999999999999d', 'is too long'],
  ])('refuses %j with a hint', (text, message) => {
    expect(() => parseDuration(text)).toThrow(
      expect.objectContaining({ code: 'duration-invalid', message: expect.stringContaining(message) }),
    )
  })

  it.each(['500ms', '20s', '1h30m', '30d', '1s250ms', '0s'])('prints %s as it was written', (text) => {
    expect(formatDuration(text === '0s' ? 0 : parseDuration(text))).toBe(text)
  })
})

describe('a setting that a timer waits for', () => {
  // Node's setTimeout fires at once when it is asked for more.
  const longestOfNode = 2 ** 31 - 1

  it('takes what a timer can wait', () => {
    expect(duration('60s', { atMost: longestTimer }).parse('24d')).toBe(24 * 86_400_000)
    expect(parseDuration(longestTimer)).toBeLessThanOrEqual(longestOfNode)
    expect(optionalDuration({ atMost: longestTimer }).parse(undefined)).toBeUndefined()
  })

  it.each(['25d', '24d1ms', '365d'])('refuses %s, which no timer can wait', (text) => {
    for (const schema of [
      duration('60s', { atMost: longestTimer }),
      optionalDuration({ atMost: longestTimer }),
    ]) {
      expect(schema.safeParse(text).error?.issues).toMatchObject([{ message: 'must be at most 24d' }])
    }
  })

  it('is another thing than a lifetime, which may be as long as it likes', () => {
    expect(duration('30d').parse('365d')).toBe(365 * 86_400_000)
  })
})
