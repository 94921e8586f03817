import { describe, expect, it } from 'vitest'
import { formatDuration, parseDuration } from './duration.ts'

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
