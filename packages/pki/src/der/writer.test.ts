import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { refusalOf } from '../testing/refusal.ts'
import { rememberOids } from './oid.ts'
import { readDer } from './reader.ts'
import type { StringType } from './string.ts'
import { contextConstructed, Tag } from './tag.ts'
import * as der from './writer.ts'

const hex = (bytes: Buffer) => bytes.toString('hex')

describe('the writer', () => {
  it.each([
    ['an empty SEQUENCE', der.sequence(), '3000'],
    ['a length of 127', der.octetString(Buffer.alloc(127)).subarray(0, 2), '047f'],
    ['a length of 128', der.octetString(Buffer.alloc(128)).subarray(0, 3), '048180'],
    ['a length of 255', der.octetString(Buffer.alloc(255)).subarray(0, 3), '0481ff'],
    ['a length of 256', der.octetString(Buffer.alloc(256)).subarray(0, 4), '04820100'],
    ['a length of 65536', der.octetString(Buffer.alloc(65536)).subarray(0, 5), '0483010000'],
    ['INTEGER 0', der.integer(0), '020100'],
    ['INTEGER 128', der.integer(128), '02020080'],
    ['INTEGER -128', der.integer(-128), '020180'],
    ['INTEGER -129', der.integer(-129), '0202ff7f'],
    ['an unsigned INTEGER', der.unsignedInteger(Buffer.of(0, 0, 0xff)), '020200ff'],
    ['an unsigned INTEGER zero', der.unsignedInteger(Buffer.of(0, 0)), '020100'],
    ['TRUE and FALSE', der.sequence(der.boolean(true), der.boolean(false)), '30060101ff010100'],
    ['named bits', der.namedBits(0b1_0000_0001), '0303078080'],
    ['named bits, none', der.namedBits(0), '030100'],
    ['an OBJECT IDENTIFIER', der.oid('1.2.840.113549'), '06062a864886f70d'],
    ['a root arc of 2 with a large second', der.oid('2.999'), '06028837'],
    ['the largest second arc below 1', der.oid('1.39'), '06014f'],
    ['the smallest second arc below 2', der.oid('2.0'), '060150'],
    ['a SET OF, sorted', der.setOf(der.integer(2), der.integer(1)), '3106020101020102'],
    ['NULL', der.nullValue(), '0500'],
    ['[0] EXPLICIT', der.explicit(0, der.integer(2)), 'a003020102'],
    ['[2] IMPLICIT', der.implicit(2, Buffer.from('a')), '820161'],
    ['UTCTime in 2049', der.time(new Date('2049-12-31T23:59:59.999Z')), '170d3439313233313233353935395a'],
    [
      'GeneralizedTime in 2050',
      der.time(new Date('2050-01-01T00:00:00Z')),
      '180f32303530303130313030303030305a',
    ],
    [
      'GeneralizedTime in 2049',
      der.generalizedTime(new Date('2049-12-31T23:59:59.999Z')),
      '180f32303439313233313233353935395a',
    ],
    ['ENUMERATED', der.enumerated(10), '0a010a'],
    ['a header alone', der.header(Tag.sequence, 65_536), '3083010000'],
    ['UTCTime in 1950', der.time(new Date('1950-01-01T00:00:00Z')), '170d3530303130313030303030305a'],
  ])('writes %s', (_, bytes, expected) => {
    expect(hex(bytes)).toBe(expected)
  })

  it.each([
    ['an OBJECT IDENTIFIER that is none', () => der.oid('1.2.x'), 'der-invalid'],
    ['a second arc over 39', () => der.oid('1.40'), 'der-invalid'],
    ['a leading zero in an arc', () => der.oid('1.2.03'), 'der-invalid'],
    ['an OBJECT IDENTIFIER over 64 octets', () => der.oid(`2.5${'.127'.repeat(64)}`), 'der-invalid'],
    ['an invalid date', () => der.time(new Date(Number.NaN)), 'time-invalid'],
    ['the year 1949', () => der.time(new Date('1949-12-31T23:59:59Z')), 'time-invalid'],
    ['the year 10000', () => der.time(new Date('+010000-01-01T00:00:00Z')), 'time-invalid'],
    ['an asterisk as PrintableString', () => der.string('printable', '*'), 'name-invalid'],
    ['an umlaut as IA5String', () => der.string('ia5', 'ü'), 'name-invalid'],
    ['half a surrogate pair', () => der.string('utf8', '\ud800'), 'name-invalid'],
    ['an emoji as BMPString', () => der.string('bmp', '😀'), 'name-invalid'],
    ['GeneralizedTime of an invalid date', () => der.generalizedTime(new Date(Number.NaN)), 'time-invalid'],
    ['ENUMERATED 128', () => der.enumerated(128), 'der-invalid'],
    ['seventeen named bits', () => der.namedBits(1 << 16), 'der-invalid'],
    ['16 MiB', () => der.octetString(Buffer.alloc(1 << 24)), 'der-too-large'],
  ])('refuses %s', (_, write, code) => {
    expect(refusalOf(write).code).toBe(code)
  })
})

describe('what the writer writes, the reader reads', () => {
  const back = <T>(bytes: Buffer, how: Parameters<typeof readDer<T>>[2]): T => {
    // The walk for elements of unknown meaning must accept it as well.
    readDer(bytes, 'field', (reader) => reader.element('field'))
    return readDer(bytes, 'field', how)
  }

  it('as INTEGER', () => {
    fc.assert(
      fc.property(fc.bigInt(), (value) => {
        const content = back(der.integer(value), (r) => r.integer('field'))
        expect(BigInt.asIntN(content.length * 8, BigInt(`0x${hex(content)}`))).toBe(value)
      }),
    )
    fc.assert(
      fc.property(fc.nat(), (value) => {
        expect(back(der.integer(value), (r) => r.smallInteger('field'))).toBe(value)
      }),
    )
  })

  it('as OBJECT IDENTIFIER, arcs of any size included', () => {
    const arcs = fc.array(fc.bigInt({ min: 0n, max: 1n << 100n }), { maxLength: 3 })
    const root = fc.oneof(
      fc.tuple(fc.constantFrom(0n, 1n), fc.bigInt({ min: 0n, max: 39n })),
      fc.tuple(fc.constant(2n), fc.bigInt({ min: 0n, max: 1n << 70n })),
    )
    fc.assert(
      fc.property(root, arcs, (head, tail) => {
        const dotted = [...head, ...tail].join('.')
        expect(back(der.oid(dotted), (r) => r.oid('field'))).toBe(dotted)
      }),
    )
  })

  it('as X.509 Time, to the second', () => {
    const date = fc.date({ min: new Date('1950-01-01'), max: new Date('9999-12-31'), noInvalidDate: true })
    fc.assert(
      fc.property(date, (value) => {
        const seconds = Math.floor(value.getTime() / 1000) * 1000
        expect(back(der.time(value), (r) => r.time('field')).getTime()).toBe(seconds)
      }),
    )
  })

  it('as named bits', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffff }), (bits) => {
        expect(back(der.namedBits(bits), (r) => r.namedBits('field'))).toBe(bits)
      }),
    )
  })

  it('as strings of every type', () => {
    const types: StringType[] = ['utf8', 'printable', 'ia5', 'numeric', 'visible', 'teletex', 'bmp']
    const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.stringMatching(/^[0-9 ]*$/))
    fc.assert(
      fc.property(fc.constantFrom(...types), text, (type, value) => {
        let bytes
        try {
          bytes = der.string(type, value)
        } catch {
          return // not a text of this type; which are is a matter of the tables above
        }
        expect(back(bytes, (r) => r.string('field'))).toEqual({ type, value })
      }),
      { numRuns: 1000 },
    )
  })

  it('as an object identifier that has one digest with a known one', () => {
    rememberOids(['2.5.29.32'])
    // 55 1d 20 and 55 1e 01: 31 less in one octet for 1 more in the octet before it.
    expect(back(der.oid('2.5.30.1'), (r) => r.oid('field'))).toBe('2.5.30.1')
    expect(back(der.oid('2.5.29.32'), (r) => r.oid('field'))).toBe('2.5.29.32')
  })

  it('as object identifiers at the borders between the root arcs', () => {
    for (const dotted of ['0.0', '0.39', '1.0', '1.39', '2.0', '2.39', '2.40', '2.47', '2.48']) {
      expect(back(der.oid(dotted), (r) => r.oid('field'))).toBe(dotted)
    }
  })

  it('with a byte order mark as the character that it is: without it, two names would be one', () => {
    const bytes = der.string('utf8', '\ufeffpump-7')
    expect(back(bytes, (r) => r.string('field')).value).toBe('\ufeffpump-7')
  })

  it('as SET OF, in whatever order it was given', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 4 })), (parts) => {
        const elements = parts.map((part) => der.octetString(part))
        const set = der.setOf(...elements)
        expect(der.setOf(...elements.toReversed())).toEqual(set)
        back(set, (r) => {
          const items = r.setOf('field')
          while (!items.done) items.octetString('field')
        })
        const implicit = der.implicitSetOf(0, ...elements)
        expect(implicit[0]).toBe(contextConstructed(0))
        expect(implicit.subarray(1)).toEqual(set.subarray(1))
        expect(set[0]).toBe(Tag.set)
      }),
    )
  })
})
