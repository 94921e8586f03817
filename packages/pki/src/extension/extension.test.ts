import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readDer, sequence } from '../der/index.ts'
import { type KeyUsage, keyUsages } from '../profile/profile.ts'
import { refusalOf } from '../testing/refusal.ts'
import { decodeBasicConstraints, encodeBasicConstraints } from './basic-constraints.ts'
import { decodeExtendedKeyUsage, encodeExtendedKeyUsage } from './extended-key-usage.ts'
import { encodeExtension, readExtensions } from './extension.ts'
import { decodeKeyUsage, encodeKeyUsage } from './key-usage.ts'

const hex = (text: string) => Buffer.from(text, 'hex')
const read = (der: Buffer) => readDer(der, 'extensions', (reader) => readExtensions(reader, 'extensions'))

describe('extensions', () => {
  const one = { oid: '1.2.3', critical: true, value: hex('0500') }
  const two = { oid: '1.2.4', critical: false, value: hex('') }

  it('go through DER and back', () => {
    expect(read(sequence(encodeExtension(one), encodeExtension(two)))).toEqual([one, two])
  })

  it('are refused when one occurs twice, and when there is none', () => {
    const twice = sequence(encodeExtension(one), encodeExtension({ ...one, critical: false }))
    expect(refusalOf(() => read(twice))).toEqual({
      code: 'extension-invalid',
      message: 'extensions: the extension 1.2.3 occurs twice',
    })
    expect(refusalOf(() => read(sequence())).code).toBe('der-invalid')
  })

  it('are refused when critical is written as FALSE, its default', () => {
    expect(refusalOf(() => read(hex('300d300b06022a030101000402 0500'.replace(' ', '')))).message).toContain(
      'FALSE is the default and must be left out',
    )
  })
})

describe('basicConstraints', () => {
  it.each([
    ['3000', { ca: false, pathLength: undefined }],
    ['30030101ff', { ca: true, pathLength: undefined }],
    ['30060101ff020100', { ca: true, pathLength: 0 }],
    ['3003020105', { ca: false, pathLength: 5 }],
  ])('%s is %j, and back', (der, constraints) => {
    expect(decodeBasicConstraints(hex(der))).toEqual(constraints)
    expect(encodeBasicConstraints(constraints)).toEqual(hex(der))
  })

  it.each(['3003010100', '30060101ff0201ff', '30090101ff020100020100', '300002', '3003010101'])(
    '%s is refused',
    (der) => {
      expect(refusalOf(() => decodeBasicConstraints(hex(der))).code).toBe('der-invalid')
    },
  )
})

describe('keyUsage', () => {
  it.each<[string, KeyUsage[]]>([
    ['03020780', ['digitalSignature']],
    ['03020106', ['keyCertSign', 'cRLSign']],
    ['0303070080', ['decipherOnly']],
  ])('%s is %j, and back', (der, usages) => {
    expect(decodeKeyUsage(hex(der))).toEqual(usages)
    expect(encodeKeyUsage(usages)).toEqual(hex(der))
  })

  it('goes through DER and back in any combination', () => {
    fc.assert(
      fc.property(fc.subarray([...keyUsages], { minLength: 1 }), (usages) => {
        expect(decodeKeyUsage(encodeKeyUsage(usages))).toEqual(usages)
      }),
    )
  })

  it.each([
    ['030100', 'extension-invalid'],
    ['0303060040', 'extension-invalid'],
    ['03020080', 'der-invalid'],
  ])('%s is refused', (der, code) => {
    expect(refusalOf(() => decodeKeyUsage(hex(der))).code).toBe(code)
  })
})

describe('extKeyUsage', () => {
  it('names the purposes it knows and keeps the others', () => {
    const der = encodeExtendedKeyUsage(['serverAuth', 'clientAuth', '1.2.3.4'])
    expect(der.toString('hex')).toBe('301906082b0601050507030106082b0601050507030206032a0304')
    expect(decodeExtendedKeyUsage(der)).toEqual(['serverAuth', 'clientAuth', '1.2.3.4'])
  })

  it('is refused when it is empty', () => {
    expect(refusalOf(() => decodeExtendedKeyUsage(hex('3000'))).code).toBe('der-invalid')
  })
})
