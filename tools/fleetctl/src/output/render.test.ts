import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Answer } from './answer.ts'
import { printable, printableJson } from './printable.ts'
import { render } from './render.ts'

const hostile = '\u001b]0;owned\u0007\u009b2J\u202egnp\nnext\ttab'

// oxlint-disable-next-line no-control-regex -- none of them may reach a terminal
const controls = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/

describe('what a server sent', () => {
  const answers: Answer[] = [
    { kind: 'table', json: { a: hostile }, columns: ['a'], rows: [[hostile]], empty: '' },
    { kind: 'fields', json: { a: hostile }, fields: [['a', hostile]] },
    { kind: 'text', json: { a: hostile }, text: hostile },
  ]
  test.each(answers)('can only be read on a terminal: $kind', (answer) => {
    for (const mode of ['json', 'terminal'] as const) {
      expect(render(answer, mode, true)).not.toMatch(controls)
    }
    if (answer.kind !== 'text') expect(render(answer, 'lines', false).split('\n')).toHaveLength(2)
  })

  test.each([
    ['tags', 'pump-7\u{e0041}', String.raw`pump-7\udb40\udc41`],
    ['a selector of variations', 'pump-7\ufe0f', String.raw`pump-7\ufe0f`],
    ['a filler', 'pump\u31647', String.raw`pump\u31647`],
    ['a joiner', 'pump\u200d7', String.raw`pump\u200d7`],
  ])('looks like no other name for %s that nobody sees', (_what, text, shown) => {
    expect(printable(text)).toBe(shown)
    expect(JSON.parse(printableJson(text))).toBe(text)
  })

  test('is the same value in JSON', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const json = printableJson({ text })
        expect(JSON.parse(json)).toEqual({ text })
        expect(json).not.toMatch(controls)
        expect(printable(text)).not.toMatch(controls)
      }),
      { numRuns: 500 },
    )
  })
})

describe('an answer', () => {
  const table: Answer = {
    kind: 'table',
    json: { items: [] },
    columns: ['id', 'valid until'],
    rows: [
      ['a', 'now'],
      ['longer', 'then'],
    ],
    empty: 'nothing',
  }

  test('is a table on a terminal and lines with tabs in a pipe', () => {
    expect(render(table, 'terminal', true)).toBe('ID      VALID UNTIL\na       now\nlonger  then\n')
    expect(render(table, 'lines', false)).toBe('a\tnow\nlonger\tthen\n')
  })

  test('without rows says so on a terminal only', () => {
    expect(render({ ...table, rows: [] }, 'terminal', true)).toBe('nothing\n')
    expect(render({ ...table, rows: [] }, 'lines', false)).toBe('')
  })

  test('leaves out fields that it does not have', () => {
    const fields: Answer = {
      kind: 'fields',
      json: {},
      fields: [
        ['id', 'a'],
        ['batch', undefined],
        ['valid until', 'b'],
      ],
    }
    expect(render(fields, 'terminal', true)).toBe('id           a\nvalid until  b\n')
    expect(render(fields, 'lines', false)).toBe('id\ta\nvalid until\tb\n')
  })

  test('in JSON is one line in a pipe, and readable on a terminal', () => {
    expect(render(table, 'json', false)).toBe('{"items":[]}\n')
    expect(render(table, 'json', true)).toBe('{\n  "items": []\n}\n')
  })
})
