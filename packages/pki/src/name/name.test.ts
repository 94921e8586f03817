import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { oid, sequence, setOf, string } from '../der/index.ts'
import { refusalOf } from '../testing/refusal.ts'
import { commonNames, soleCommonName, type SoleCommonName } from './common-name.ts'
import { formatName } from './format.ts'
import { decodeName, encodeName, type Name, type NameAttribute, nameOf } from './name.ts'

const CN = '2.5.4.3'
const O = '2.5.4.10'
const cn = (value: string, encoding: NameAttribute['encoding'] = 'utf8'): NameAttribute => ({
  type: CN,
  value,
  encoding,
})

describe('a name', () => {
  it('is encoded with one attribute to an RDN, as UTF8String', () => {
    expect(encodeName(nameOf({ commonName: 'pump-7', organization: 'Ex' })).toString('hex')).toBe(
      '301e310b3009060355040a0c024578310f300d06035504030c0670756d702d37',
    )
    expect(encodeName(nameOf({})).toString('hex')).toBe('3000')
  })

  it('is refused with an empty attribute or an empty RDN', () => {
    expect(refusalOf(() => nameOf({ commonName: '' })).code).toBe('name-invalid')
    expect(refusalOf(() => encodeName([[]])).code).toBe('name-invalid')
    expect(refusalOf(() => decodeName(Buffer.from('30023100', 'hex'))).code).toBe('der-invalid')
  })

  it('keeps order, string types, NUL, multi-valued RDNs and values that are no string', () => {
    const name: Name = [
      [{ type: O, value: 'Ex', encoding: 'printable' }],
      [{ type: '2.5.4.11', value: 'a', encoding: 'bmp' }, cn('dev\0', 'teletex')],
      [cn('second'), { type: '2.5.4.45', value: '03020780', encoding: 'other' }],
    ]
    const decoded = decodeName(encodeName(name))
    expect(decoded.map((rdn) => rdn.length)).toEqual([1, 2, 2])
    expect(decoded.flat()).toEqual(expect.arrayContaining(name.flat()))
    expect(commonNames(decoded)).toEqual(['dev\0', 'second'])
  })

  it('goes through DER and back, whatever it holds', () => {
    const attribute = fc.record({
      type: fc.constantFrom(CN, O, '2.5.4.5', '1.2.3.4'),
      value: fc.string({ unit: 'grapheme-ascii' }),
      encoding: fc.constantFrom('utf8' as const, 'ia5' as const, 'teletex' as const, 'bmp' as const),
    })
    fc.assert(
      fc.property(fc.array(fc.array(attribute, { minLength: 1, maxLength: 3 }), { maxLength: 4 }), (name) => {
        const der = encodeName(name)
        expect(encodeName(decodeName(der))).toEqual(der)
        const inOrder = name.filter((rdn) => rdn.length === 1)
        expect(decodeName(encodeName(inOrder))).toEqual(inOrder)
      }),
    )
  })

  it('is refused with the attributes of an RDN out of order', () => {
    const [a, b] = ['a', 'b'].map((text) => sequence(oid(CN), string('utf8', text)))
    if (a === undefined || b === undefined) throw new Error('two attributes')
    const right = sequence(setOf(b, a))
    const wrong = Buffer.from(right)
    b.copy(wrong, 4)
    a.copy(wrong, 4 + b.length)
    expect(commonNames(decodeName(right))).toEqual(['a', 'b'])
    expect(refusalOf(() => decodeName(wrong)).code).toBe('der-invalid')
  })
})

describe('a name in text', () => {
  it.each<[Name, string]>([
    [nameOf({ organization: 'Example', commonName: 'pump-7' }), 'CN=pump-7,O=Example'],
    [[], ''],
    [[[cn('a'), { type: O, value: 'b', encoding: 'utf8' }]], 'CN=a+O=b'],
    [nameOf({ commonName: 'a,b+c"d\\e<f>g;h' }), String.raw`CN=a\,b\+c\"d\\e\<f\>g\;h`],
    [nameOf({ commonName: ' a b ' }), String.raw`CN=\ a b\ `],
    [nameOf({ commonName: '#a' }), String.raw`CN=\#a`],
    [nameOf({ commonName: ' ' }), String.raw`CN=\ `],
    [nameOf({ commonName: 'dev\0\n\u202e\u2028é' }), String.raw`CN=dev\00\0a\e2\80\ae\e2\80\a8é`],
    [[[{ type: '1.2.3', value: '0500', encoding: 'other' }]], '1.2.3=#0500'],
  ])('%# is as RFC 4514 has it', (name, text) => {
    expect(formatName(name)).toBe(text)
  })

  it('never holds a character that a terminal would act on', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), (text) => {
        fc.pre(text.isWellFormed())
        expect(formatName(nameOf({ commonName: text }))).not.toMatch(/[\p{C}\u2028\u2029]/u)
      }),
    )
  })
})

describe('the common name on which an identity may rest', () => {
  it.each<[string, Name, SoleCommonName]>([
    ['the only one, UTF8String', nameOf({ commonName: 'a' }), { commonName: 'a' }],
    ['the only one, PrintableString', [[cn('a', 'printable')]], { commonName: 'a' }],
    ['none', nameOf({ organization: 'a' }), { refused: 'common-name-missing', detail: 'subject: has no CN' }],
    [
      'one of two',
      [[cn('a')], [cn('a')]],
      { refused: 'common-name-duplicate', detail: 'subject: has 2 CNs, must have one' },
    ],
    [
      'in a multi-valued RDN',
      [[cn('a'), { type: O, value: 'b', encoding: 'utf8' }]],
      { refused: 'name-multi-valued', detail: 'subject: has an RDN with more than one attribute' },
    ],
    [
      'beside a multi-valued RDN',
      [
        [
          { type: O, value: 'b', encoding: 'utf8' },
          { type: O, value: 'c', encoding: 'utf8' },
        ],
        [cn('a')],
      ],
      { refused: 'name-multi-valued', detail: 'subject: has an RDN with more than one attribute' },
    ],
    [
      'a TeletexString',
      [[cn('a', 'teletex')]],
      { refused: 'common-name-encoding', detail: 'subject: the CN must be UTF8String or PrintableString' },
    ],
    [
      'a BMPString',
      [[cn('a', 'bmp')]],
      { refused: 'common-name-encoding', detail: 'subject: the CN must be UTF8String or PrintableString' },
    ],
    [
      'not even a string',
      [[cn('0500', 'other')]],
      { refused: 'common-name-encoding', detail: 'subject: the CN must be UTF8String or PrintableString' },
    ],
  ])('is asked of a name where it is %s', (_, name, expected) => {
    expect(soleCommonName(decodeName(encodeName(name)))).toEqual(expected)
  })
})
