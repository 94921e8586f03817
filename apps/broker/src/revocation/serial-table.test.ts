import { newSerial, parseSerial, type SerialNumber } from '@fleetroot/pki'
import { collectGarbage } from '@fleetroot/pki/testing'
import { describe, expect, test } from 'vitest'
import { type Mark, SerialTable } from './serial-table.ts'

const tableOf = (...entries: [string, Mark][]): SerialTable => {
  const table = new SerialTable(entries.length)
  for (const [serial, mark] of entries) table.set(parseSerial(serial), mark)
  return table
}

describe('a table of serial numbers', () => {
  test('knows what was set and nothing else', () => {
    const table = tableOf(['01', 'revoked'], ['0100', 'suspended'], ['7f'.repeat(20), 'revoked'])
    const marks = ['01', '0100', '7f'.repeat(20), '02', '010000', '7f'.repeat(19)].map((serial) =>
      table.get(parseSerial(serial)),
    )
    expect(marks).toEqual(['revoked', 'suspended', 'revoked', undefined, undefined, undefined])
    expect(table.size).toBe(3)
  })

  test('keeps the last mark of a serial that is set twice', () => {
    const table = tableOf(['ab', 'revoked'], ['ab', 'suspended'])
    expect([table.get(parseSerial('ab')), table.size]).toEqual(['suspended', 1])
  })

  test('without entries knows nobody', () => {
    expect(new SerialTable().get(parseSerial('01'))).toBeUndefined()
  })

  test('takes no more than it was made for', () => {
    const table = tableOf(['01', 'revoked'])
    expect(() => table.set(parseSerial('02'), 'revoked')).toThrow('more than 1 entries')
  })

  test('finds each of 100,000 random and 100,000 consecutive serials, and takes 3.2 MB for 100,000', () => {
    const random = Array.from({ length: 100_000 }, () => newSerial())
    const counted = Array.from(
      { length: 100_000 },
      (_, i) => parseSerial((0x5000_0000 + i).toString(16)) satisfies SerialNumber,
    )
    for (const serials of [random, counted]) {
      collectGarbage()
      const before = process.memoryUsage().arrayBuffers
      const table = new SerialTable(serials.length)
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(3_200_000)
      for (const [i, serial] of serials.entries()) table.set(serial, i % 10 === 0 ? 'suspended' : 'revoked')
      expect(table.size).toBe(100_000)
      const wrong = serials.filter(
        (serial, i) => table.get(serial) !== (i % 10 === 0 ? 'suspended' : 'revoked'),
      )
      expect(wrong).toEqual([])
      expect(table.get(newSerial())).toBeUndefined()
    }
  })
})
