import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { EventStreamParser, type ServerSentEvent } from './event-stream.ts'

function parse(...chunks: (string | Uint8Array)[]): ServerSentEvent[] {
  const events: ServerSentEvent[] = []
  const parser = new EventStreamParser((event) => events.push(event))
  for (const chunk of chunks) parser.push(typeof chunk === 'string' ? Buffer.from(chunk) : chunk)
  return events
}

describe('server-sent events', () => {
  test('are taken apart at blank lines; comments and unknown fields are passed over', () => {
    expect(parse(': alive\n\nid: 7\nevent: revoked\nretry: 5\nother\ndata: {"a":1}\n\n')).toEqual([
      { id: '7', type: 'revoked', data: '{"a":1}' },
    ])
  })

  test('keep the id of the event before, join data lines, and need no space and no data', () => {
    expect(parse('\uFEFFid:1\ndata:a\ndata: b\n\ndata\n\nevent: reset\n\n')).toEqual([
      { id: '1', type: 'message', data: 'a\nb' },
      { id: '1', type: 'message', data: '' },
      { id: '1', type: 'reset', data: '' },
    ])
  })

  test('that are not finished do not count', () => {
    expect(parse('id: 1\nevent: revoked\ndata: {}\n')).toEqual([])
  })

  test('are the same however the bytes are cut and however lines end', () => {
    const text = 'id: 1\nevent: a\ndata: \u20ac\n\n: x\n\nid: 2\ndata: y\ndata: z\n\n'
    const expected = parse(text)
    fc.assert(
      fc.property(
        fc.constantFrom('\n', '\r', '\r\n'),
        fc.array(fc.nat(80), { maxLength: 6 }),
        (end, cuts) => {
          const bytes = Buffer.from(text.replaceAll('\n', end))
          const places = [0, ...cuts.toSorted((a, b) => a - b), bytes.length]
          const chunks = places.slice(1).map((place, i) => bytes.subarray(places[i], place))
          expect(parse(...chunks)).toEqual(expected)
        },
      ),
    )
  })

  test.each([
    ['one line', 'data: ', 'x'.repeat(100_000)],
    ['many lines', '', `data: ${'x'.repeat(50_000)}\n`],
  ])('of more than a mebibyte in %s are refused before they are collected', (_what, start, piece) => {
    const pieces = Array.from({ length: 40 }, () => piece)
    expect(() => parse(start, ...pieces)).toThrow('longer than 1048576')
  })
})
