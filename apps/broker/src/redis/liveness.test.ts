import { expect, test } from 'vitest'
import { Liveness } from './liveness.ts'

test('a node is dead when its sign has not changed for the time that is allowed, by this node’s own clock', () => {
  const liveness = new Liveness(1_000)
  const signs = (one: string, two: string) =>
    new Map([
      ['one', one],
      ['two', two],
      ['self', '1'],
    ])
  expect(liveness.dead(signs('1', '1'), 'self', 0)).toEqual([])
  expect(liveness.dead(signs('1', '2'), 'self', 999)).toEqual([])
  expect(liveness.dead(signs('1', '3'), 'self', 1_000)).toEqual([['one', '1']])
})

test('nobody is dead for the time in which this node saw nothing', () => {
  const liveness = new Liveness(1_000)
  const signs = new Map([['one', '1']])
  liveness.dead(signs, 'self', 0)
  liveness.forget()
  expect(liveness.dead(signs, 'self', 60_000)).toEqual([])
  expect(liveness.dead(signs, 'self', 61_000)).toEqual([['one', '1']])
})
