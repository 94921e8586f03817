import { array, assert, integer, property } from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createSequenceSet } from './sequence-set.ts'

describe('createSequenceSet', () => {
  test('agrees with a Set for any order of additions', () => {
    assert(
      property(array(integer({ min: 1, max: 60 })), (sequences) => {
        const ranges = createSequenceSet()
        const model = new Set<number>()
        for (const sequence of sequences) {
          expect(ranges.add(sequence)).toBe(!model.has(sequence))
          model.add(sequence)
        }
        expect(ranges.size).toBe(model.size)
        for (let sequence = 0; sequence <= 61; sequence++) {
          expect(ranges.has(sequence)).toBe(model.has(sequence))
        }
      }),
    )
  })

  test('names what another set lacks, in order and up to a limit', () => {
    const acknowledged = createSequenceSet()
    const delivered = createSequenceSet()
    for (let sequence = 1; sequence <= 10; sequence++) {
      acknowledged.add(sequence)
      if (sequence % 3 !== 0) delivered.add(sequence)
    }
    expect(acknowledged.except(delivered, 100)).toEqual([3, 6, 9])
    expect(acknowledged.except(delivered, 2)).toEqual([3, 6])
    expect(delivered.except(acknowledged, 100)).toEqual([])
  })
})
