import { describe, expect, test } from 'vitest'
import { Restarts } from './restarts.ts'

describe('a process that ends', () => {
  test('is started again, later each time, and not for ever', () => {
    const restarts = new Restarts()
    expect([0, 5, 10, 100, 29_999, 0].map((ms) => restarts.ended(ms))).toEqual([
      250,
      500,
      1_000,
      2_000,
      4_000,
      undefined,
    ])
  })

  test('is started again at once when it had lived for a while', () => {
    const restarts = new Restarts()
    for (let n = 0; n < 100; n += 1) expect(restarts.ended(30_000)).toBe(250)
    restarts.ended(0)
    expect(restarts.failures).toBe(2)
    expect(restarts.ended(60_000)).toBe(250)
  })
})
