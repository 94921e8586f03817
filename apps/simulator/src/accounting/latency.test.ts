import { describe, expect, test } from 'vitest'
import { createLatencyRecorder } from './latency.ts'

describe('createLatencyRecorder', () => {
  test('is all zeros before the first value', () => {
    expect(createLatencyRecorder().percentiles()).toEqual({ count: 0, p50: 0, p90: 0, p99: 0, max: 0 })
  })

  test('gives percentiles in milliseconds within a thousandth', () => {
    const recorder = createLatencyRecorder()
    for (let value = 1; value <= 1_000; value++) recorder.record(value / 10)
    const { count, p50, p90, p99, max } = recorder.percentiles()
    expect(count).toBe(1_000)
    expect(p50 / 50).toBeCloseTo(1, 2)
    expect(p90 / 90).toBeCloseTo(1, 2)
    expect(p99 / 99).toBeCloseTo(1, 2)
    expect(max).toBe(100)
  })

  test('never puts a percentile above the maximum', () => {
    const recorder = createLatencyRecorder()
    recorder.record(3_141.592)
    expect(recorder.percentiles()).toEqual({
      count: 1,
      p50: 3141.592,
      p90: 3141.592,
      p99: 3141.592,
      max: 3141.592,
    })
  })

  test('keeps values out of range at the ends of the range instead of failing the run', () => {
    const recorder = createLatencyRecorder()
    recorder.record(-5)
    recorder.record(10 * 3_600_000)
    expect(recorder.percentiles()).toMatchObject({ count: 2, p50: 0, max: 3_600_000 })
  })
})
