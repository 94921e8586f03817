import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { csvReader } from './csv.ts'

/** What is read of a text that arrives in pieces of this size. */
function read(text: string, piece = text.length) {
  const reader = csvReader()
  const records = []
  for (let at = 0; at < text.length; at += piece) records.push(...reader.push(text.slice(at, at + piece)))
  return [...records, ...reader.end()]
}
const values = (text: string) =>
  read(text).map((record) => ('value' in record ? record.value : record.problem))

describe('CSV', () => {
  it.each([
    [
      'plain fields',
      'a,b\nc,d',
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
    ],
    ['CRLF, LF and CR', 'a\r\nb\nc\rd', [['a'], ['b'], ['c'], ['d']]],
    [
      'empty fields, and empty lines passed over',
      ',\n\n\r\na,',
      [
        ['', ''],
        ['a', ''],
      ],
    ],
    [
      'quotes around commas, quotes and ends of lines',
      '"a,b","say ""hi""","two\r\nlines"',
      [['a,b', 'say "hi"', 'two\r\nlines']],
    ],
    ['a quoted field that is empty', '""\n', [['']]],
    ['blanks as they are', ' a , b ', [[' a ', ' b ']]],
    [
      'what a spreadsheet would take for a formula, as it is',
      '=1+1,@x,-5,+49',
      [['=1+1', '@x', '-5', '+49']],
    ],
  ])('%s', (_what, text, expected) => {
    expect(values(text)).toEqual(expected)
  })

  it('a row with a stray quote is a problem of its own', () => {
    expect(read('a\nb"c,d\n"e"f\ng')).toEqual([
      { line: 1, value: ['a'] },
      { line: 2, problem: expect.stringMatching(/^has a quote within a field; /) },
      { line: 3, problem: expect.stringMatching(/^has text behind a closing quote; /) },
      { line: 4, value: ['g'] },
    ])
  })

  it('lines are counted as an editor does, within quotes too', () => {
    expect(read('a\n"b\nc"\nd').map(({ line }) => line)).toEqual([1, 2, 4])
  })

  it('a quote that is not closed breaks the file, at the end or when the row gets too long', () => {
    expect(() => read('a\n"b')).toThrow('line 2: a quote in this row is not closed')
    expect(() => read(`"${'x\n'.repeat(40_000)}`)).toThrow(/^line 1: the row .* is a quote not closed\?$/)
  })

  it('gives back every table that was written by the rules, in whatever pieces it comes', () => {
    const cell = fc.string({ unit: fc.constantFrom('a', ',', '"', '\n', '\r', ' ', 'é', '😀'), maxLength: 8 })
    const table = fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { maxLength: 6 })
    const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`
    fc.assert(
      fc.property(
        table,
        fc.constantFrom('\n', '\r\n'),
        fc.integer({ min: 1, max: 7 }),
        (rows, end, piece) => {
          const text = rows.map((row) => row.map(quoted).join(',') + end).join('')
          expect(read(text, piece).map((record) => ('value' in record ? record.value : record))).toEqual(rows)
        },
      ),
    )
  })

  it('reads anything without failing in another way', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', ',', '"', '\n', '\r'), maxLength: 60 }), (text) => {
        try {
          read(text, 3)
        } catch (error) {
          expect((error as Error).message).toMatch(/a quote in this row is not closed$/)
        }
      }),
    )
  })
})
