import { describe, expect, it } from 'vitest'
import { editDistance, nearest } from './spelling.ts'

describe('spelling', () => {
  it('counts insertions, deletions, replacements and swaps of neighbours as one edit', () => {
    const pairs: [string, string, number][] = [
      ['port', 'port', 0],
      ['port', 'ports', 1],
      ['port', 'prt', 1],
      ['port', 'part', 1],
      ['port', 'prot', 1],
      ['port', 'host', 2],
      ['', 'port', 4],
    ]
    for (const [a, b, distance] of pairs) expect(editDistance(a, b)).toBe(distance)
  })

  it('finds the nearest word, whatever its case, and none when all are far', () => {
    expect(nearest('METRICSPORT', ['port', 'metricsPort'])).toBe('metricsPort')
    expect(nearest('colour', ['port', 'metricsPort'])).toBeUndefined()
    expect(nearest('x', [])).toBeUndefined()
  })
})
