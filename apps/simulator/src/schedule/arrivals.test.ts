import { describe, expect, test } from 'vitest'
import { arrivalSchedule, nextSlot, publishOffset } from './arrivals.ts'

describe('arrivalSchedule', () => {
  test('is the same for the same seed', () => {
    const options = { seed: 1, devices: 500, perSecond: 50 }
    expect(arrivalSchedule(options)).toEqual(arrivalSchedule(options))
  })

  test('is another one for another seed', () => {
    const options = { devices: 10, perSecond: 50 }
    expect(arrivalSchedule({ ...options, seed: 2 })).not.toEqual(arrivalSchedule({ ...options, seed: 1 }))
  })

  test('keeps its first devices when the fleet grows', () => {
    const small = arrivalSchedule({ seed: 1, devices: 10, perSecond: 50 })
    expect(arrivalSchedule({ seed: 1, devices: 100, perSecond: 50 }).slice(0, 10)).toEqual(small)
  })

  test('starts at once, never goes back, and keeps the rate', () => {
    const times = arrivalSchedule({ seed: 1, devices: 5_001, perSecond: 100 })
    expect(times[0]).toBe(0)
    expect(times.every((at, index) => at >= (times[index - 1] ?? 0))).toBe(true)
    expect(times[5_000]).toBeGreaterThan(47_000)
    expect(times[5_000]).toBeLessThan(53_000)
  })
})

describe('publishOffset', () => {
  test('is the same for the same seed and device, and spreads a fleet over the interval', () => {
    const offset = (deviceId: string) => publishOffset({ seed: 1, deviceId, intervalMs: 1_000 })
    expect(offset('device-0001')).toBe(offset('device-0001'))
    const offsets = Array.from({ length: 200 }, (_, index) => offset(`device-${index}`))
    expect(Math.min(...offsets)).toBeGreaterThanOrEqual(0)
    expect(Math.min(...offsets)).toBeLessThan(50)
    expect(Math.max(...offsets)).toBeGreaterThan(950)
    expect(Math.max(...offsets)).toBeLessThan(1_000)
  })
})

describe('nextSlot', () => {
  test('is the next point of the grid, strictly after now', () => {
    expect(nextSlot({ offset: 300, intervalMs: 1_000, now: 0 })).toBe(300)
    expect(nextSlot({ offset: 300, intervalMs: 1_000, now: 300 })).toBe(1_300)
    expect(nextSlot({ offset: 300, intervalMs: 1_000, now: 5_299.5 })).toBe(5_300)
  })
})
