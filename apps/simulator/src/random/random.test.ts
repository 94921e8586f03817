import { describe, expect, test } from 'vitest'
import { seededRandom } from './random.ts'

const take = (count: number, draw: () => number) => Array.from({ length: count }, draw)

describe('seededRandom', () => {
  test('gives the same numbers for the same seed and path', () => {
    const first = seededRandom(1, 'sensor', 'device-0001')
    const second = seededRandom(1, 'sensor', 'device-0001')
    expect(take(50, () => first.next())).toEqual(take(50, () => second.next()))
  })

  test('gives other numbers for another seed, another path, and a path split elsewhere', () => {
    const draws = [
      seededRandom(1, 'a', 'b'),
      seededRandom(2, 'a', 'b'),
      seededRandom(1, 'a', 'c'),
      seededRandom(1, 'ab'),
    ].map((random) => random.next())
    expect(new Set(draws).size).toBe(draws.length)
  })

  test('is pinned: a new release must not change what a seed means', () => {
    const random = seededRandom(1, 'pinned')
    expect(take(3, () => random.next())).toMatchInlineSnapshot(`
      [
        0.09841266507282853,
        0.287698867963627,
        0.4374311857391149,
      ]
    `)
  })

  test('is uniform in [0, 1), with the mean and deviation that its other draws promise', () => {
    const random = seededRandom(7, 'moments')
    const uniform = take(20_000, () => random.next())
    expect(Math.min(...uniform)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...uniform)).toBeLessThan(1)
    expect(mean(uniform)).toBeCloseTo(0.5, 1)
    const normal = take(20_000, () => random.normal())
    expect(mean(normal)).toBeCloseTo(0, 1)
    expect(mean(normal.map((x) => x * x))).toBeCloseTo(1, 1)
    expect(mean(take(20_000, () => random.exponential(4))) / 4).toBeCloseTo(1, 1)
    expect(take(1_000, () => random.between(-3, 3)).every((x) => x >= -3 && x < 3)).toBe(true)
  })
})

function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
