import { expect, test } from 'vitest'
import { BoundedTable } from './bounded-table.ts'
import { RateTable } from './rate-table.ts'

test('a table never has more keys than it may, and forgets those longest unused', () => {
  const table = new BoundedTable<number>(6)
  for (const key of ['a', 'b', 'c']) table.set(key, 1)
  table.set('a', 2)
  for (const key of ['d', 'e', 'f']) table.set(key, 1)
  expect(table.size).toBeLessThanOrEqual(6)
  const found = ['a', 'b', 'c', 'd', 'e', 'f'].map((key) => table.get(key))
  expect(found).toEqual([2, undefined, undefined, 1, 1, 1])
})

test('a million strangers take no more memory than the table may', () => {
  const table = new RateTable({ perSecond: 1, burst: 1 }, 1_000)
  for (let n = 0; n < 1_000_000; n++) table.take(`stranger-${n}`, 0)
  expect(table.size).toBeLessThanOrEqual(1_000)
})

test('a table of buckets shrinks when the crowd is gone', () => {
  const table = new RateTable({ perSecond: 1, burst: 1 }, 1_000)
  for (let n = 0; n < 400; n++) table.take(`a-${n}`, 2_000)
  for (let n = 0; n < 3; n++) table.take('b', 4_000 + n * 2_000)
  expect(table.size).toBeLessThanOrEqual(2)
})

test('a bucket gives its burst at once, then what its rate allows, also across what a table forgets', () => {
  const table = new RateTable({ perSecond: 10, burst: 3 }, 10)
  const times = [1_000, 1_000, 1_000, 1_000, 1_099, 1_100, 1_100, 1_301, 1_301, 1_301]
  const yes = [true, true, true, false, false, true, false, true, true, false]
  expect(times.map((now) => table.take('x', now))).toEqual(yes)
})
