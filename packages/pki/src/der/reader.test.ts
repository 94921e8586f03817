import { describe, expect, it } from 'vitest'
import { refusalOf } from '../testing/refusal.ts'
import { type DerReader, openDer, readDer } from './reader.ts'
import { sequence } from './writer.ts'

/** Reads hex as one element. */
function read<T>(hex: string, how: (reader: DerReader) => T): T {
  return readDer(Buffer.from(hex, 'hex'), 'field', how)
}

type Case = [title: string, hex: string, how: (reader: DerReader) => unknown]

const notDer: Case[] = [
  ['nothing', '', (r) => r.null('field')],
  ['a tag alone', '05', (r) => r.null('field')],
  ['indefinite length', '30800000', (r) => r.sequence('field')],
  ['a long form for a short length', '3081020500', (r) => r.sequence('field')],
  ['127 in the long form', `04817f${'00'.repeat(127)}`, (r) => r.octetString('field')],
  ['a long form with a leading zero', `04820080${'00'.repeat(128)}`, (r) => r.octetString('field')],
  ['a length field of four octets', '048400000001aa', (r) => r.octetString('field')],
  ['the reserved length ff', '04ff00', (r) => r.octetString('field')],
  ['a length cut off', '0482ff', (r) => r.octetString('field')],
  ['content cut off', '0403aaaa', (r) => r.octetString('field')],
  ['trailing bytes', '050000', (r) => r.null('field')],
  ['a constructed OCTET STRING', '24030401aa', (r) => r.octetString('field')],
  ['a primitive SEQUENCE', '1000', (r) => r.sequence('field')],
  ['a high tag number', '3f8101020500', (r) => r.element('field')],
  ['a BOOLEAN of 01', '010101', (r) => r.boolean('field')],
  ['a BOOLEAN of two octets', '0102ffff', (r) => r.boolean('field')],
  ['an empty BOOLEAN', '0100', (r) => r.boolean('field')],
  ['an empty INTEGER', '0200', (r) => r.integer('field')],
  ['a padded positive INTEGER', '0202007f', (r) => r.integer('field')],
  ['a padded negative INTEGER', '0202ff80', (r) => r.integer('field')],
  ['a NULL with content', '050100', (r) => r.null('field')],
  ['a BIT STRING without its first octet', '0300', (r) => r.bitString('field')],
  ['8 unused bits', '030208aa', (r) => r.namedBits('field')],
  ['8 unused bits of zero', '03020800', (r) => r.namedBits('field')],
  ['unused bits of nothing', '030101', (r) => r.namedBits('field')],
  ['unused bits that are not zero', '03020103', (r) => r.namedBits('field')],
  ['an empty OBJECT IDENTIFIER', '0600', (r) => r.oid('field')],
  ['an OBJECT IDENTIFIER cut off', '06025581', (r) => r.oid('field')],
  ['an OBJECT IDENTIFIER with a padded arc', '0603558004', (r) => r.oid('field')],
  ['an OBJECT IDENTIFIER of 65 octets', `0641${'55'.repeat(65)}`, (r) => r.oid('field')],
  ['an asterisk in a PrintableString', '13012a', (r) => r.string('field')],
  ['an octet above 127 in an IA5String', '160180', (r) => r.string('field')],
  ['a letter in a NumericString', '120141', (r) => r.string('field')],
  ['a control character in a VisibleString', '1a0107', (r) => r.string('field')],
  ['an over-long UTF-8 slash', '0c02c0af', (r) => r.string('field')],
  ['a surrogate in UTF-8', '0c03eda080', (r) => r.string('field')],
  ['half a character of a BMPString', '1e03004100', (r) => r.string('field')],
  ['a surrogate in a BMPString', '1e04d83dde00', (r) => r.string('field')],
  ['a UTCTime without seconds', `170b${Buffer.from('2601010000Z').toString('hex')}`, (r) => r.time('field')],
  [
    'a UTCTime with an offset',
    `1711${Buffer.from('260101000000+0000').toString('hex')}`,
    (r) => r.time('field'),
  ],
  ['an empty ENUMERATED', '0a00', (r) => r.enumerated('field')],
  ['a SET OF out of order', '3106020102020101', (r) => r.setOf('field').end('field')],
]

describe('the strict reader', () => {
  it.each(notDer)('refuses %s', (_, hex, how) => {
    expect(refusalOf(() => read(hex, how)).code).toBe('der-invalid')
  })

  it.each(notDer)('refuses %s inside an element of unknown meaning too', (_, hex) => {
    const content = Buffer.from(hex, 'hex')
    const head = content.length < 128 ? [0x30, content.length] : [0x30, 0x81, content.length]
    const outer = Buffer.concat([Buffer.from(head), content])
    // Without a schema, nothing and two elements in a row are legal: those two are for the typed reader alone.
    if (hex === '' || hex === '050000') return
    expect(refusalOf(() => readDer(outer, 'field', (r) => r.element('field'))).code).toBe('der-invalid')
  })

  it.each<Case>([
    ['a positive INTEGER that is zero', '020100', (r) => r.positiveInteger('field')],
    ['a positive INTEGER that is negative', '020180', (r) => r.positiveInteger('field')],
    ['a small INTEGER that is negative', '0201ff', (r) => r.smallInteger('field')],
    ['a small INTEGER of five octets', '02050100000000', (r) => r.smallInteger('field')],
    ['an encoded FALSE where it is the default', '010100', (r) => r.optionalBoolean('field')],
    ['bits left over in a key', '03020780', (r) => r.bitString('field')],
    ['trailing zero bits in named bits', '03020700', (r) => r.namedBits('field')],
    ['more than 16 named bits', '030400010101', (r) => r.namedBits('field')],
    ['the 31st of February', `170d${Buffer.from('260231000000Z').toString('hex')}`, (r) => r.time('field')],
    ['a leap second', `170d${Buffer.from('161231235960Z').toString('hex')}`, (r) => r.time('field')],
    [
      '2049 as GeneralizedTime',
      `180f${Buffer.from('20490101000000Z').toString('hex')}`,
      (r) => r.time('field'),
    ],
    [
      'a fraction of a second',
      `1811${Buffer.from('20500101000000.5Z').toString('hex')}`,
      (r) => r.time('field'),
    ],
    [
      'a GeneralizedTime with a fraction',
      `1811${Buffer.from('20260101000000.5Z').toString('hex')}`,
      (r) => r.generalizedTime('field'),
    ],
    [
      'a GeneralizedTime on the 31st of February',
      `180f${Buffer.from('20260231000000Z').toString('hex')}`,
      (r) => r.generalizedTime('field'),
    ],
    ['a negative ENUMERATED', '0a01ff', (r) => r.enumerated('field')],
    ['an ENUMERATED of two octets', '0a020080', (r) => r.enumerated('field')],
    ['another type than expected', '0500', (r) => r.oid('field')],
    ['a UniversalString as text', '1c0400000041', (r) => r.string('field')],
  ])('refuses %s', (_, hex, how) => {
    expect(refusalOf(() => read(hex, how)).code).toBe('der-invalid')
  })

  it('refuses, in an element of unknown meaning, types that X.509 does not use', () => {
    for (const hex of ['0900', '0000', '0d0155', '2800', '4000', '6000', 'c000']) {
      expect(refusalOf(() => read(hex, (r) => r.element('field'))).code).toBe('der-invalid')
    }
  })

  it('reads a GeneralizedTime of any year from 1950 where the field is no X.509 Time', () => {
    const encoded = Buffer.from('20260228235959Z').toString('hex')
    expect(read(`180f${encoded}`, (r) => r.generalizedTime('field'))).toEqual(
      new Date('2026-02-28T23:59:59Z'),
    )
    expect(read('0a010a', (r) => r.enumerated('field'))).toBe(10)
  })

  it('names the field, the problem and the place', () => {
    const trailing = () => readDer(Buffer.from('0500aabb', 'hex'), 'serial', (r) => r.null('serial'))
    expect(refusalOf(trailing).message).toBe('serial: 2 bytes after its last element (at byte 2)')
    const other = () => read('0500', (r) => r.oid('curve'))
    expect(refusalOf(other).message).toBe('curve: expected oid, found null (at byte 0)')
  })

  it('refuses more bytes than it was told to expect', () => {
    const how = () => openDer(Buffer.alloc(11), 'CSR', { maxBytes: 10 })
    expect(refusalOf(how)).toEqual({
      code: 'der-too-large',
      message: 'CSR: has 11 bytes, at most 10 are allowed',
    })
  })

  it('goes exactly as deep as it is allowed', () => {
    const nested = (levels: number): Buffer => (levels === 0 ? Buffer.alloc(0) : sequence(nested(levels - 1)))
    const walk = (levels: number) =>
      readDer(nested(levels), 'field', (r) => r.element('field'), { maxDepth: 5 })
    expect(walk(5)).toHaveLength(10)
    expect(refusalOf(() => walk(6)).code).toBe('der-too-deep')
    const typed = (reader: DerReader): void => {
      if (!reader.done) typed(reader.sequence('field'))
    }
    readDer(nested(5), 'field', typed, { maxDepth: 5 })
    expect(refusalOf(() => readDer(nested(6), 'field', typed, { maxDepth: 5 })).code).toBe('der-too-deep')
  })

  it('refuses to go deeper than its limit, typed or not, without exhausting the stack', () => {
    let nested = Buffer.from('0500', 'hex')
    for (let level = 0; level < 20_000; level += 1) {
      const length = nested.length
      const head =
        length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
      nested = Buffer.concat([Buffer.of(0x30, ...head), nested])
      if (length > 60_000) break
    }
    expect(refusalOf(() => readDer(nested, 'field', (r) => r.element('field')))).toEqual({
      code: 'der-too-deep',
      message: 'field: nested deeper than 16 levels',
    })
    const typed = (reader: DerReader): unknown => typed(reader.sequence('field'))
    expect(refusalOf(() => readDer(nested, 'field', typed)).code).toBe('der-too-deep')
  })

  it('keeps what it read when the input changes afterwards', () => {
    const input = Buffer.from('0401aa', 'hex')
    const content = readDer(input, 'field', (r) => r.octetString('field'))
    input.fill(0)
    expect(content.toString('hex')).toBe('aa')
  })
})
