import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readDer, unsignedInteger } from './der/index.ts'
import { refusalOf } from './testing/refusal.ts'
import { newSerial, parseSerial, serialFromBytes } from './serial.ts'

describe('a new serial number', () => {
  it('is 127 random bits and positive in DER', () => {
    const serial = newSerial((n) => Buffer.alloc(n, 0xff))
    expect(serial).toBe(`7f${'ff'.repeat(15)}`)
    expect(unsignedInteger(Buffer.from(serial, 'hex'))).toHaveLength(18)
  })

  it('differs from the one before', () => {
    expect(new Set(Array.from({ length: 100 }, () => newSerial())).size).toBe(100)
  })

  it('drops leading zeros, so that one number has one spelling', () => {
    expect(newSerial((n) => Buffer.alloc(n, 0).fill(5, n - 1))).toBe('05')
  })

  it('is refused when the generator gives only zeros or too little', () => {
    expect(refusalOf(() => newSerial((n) => Buffer.alloc(n)))).toEqual({
      code: 'serial-invalid',
      message: 'serial: the random generator gave only zeros',
    })
    expect(refusalOf(() => newSerial(() => Buffer.alloc(15, 1))).code).toBe('serial-invalid')
  })
})

describe('a serial number in text', () => {
  it.each([
    ['1', '01'],
    ['00:0A:ff', '0aff'],
    ['5F3A09C2', '5f3a09c2'],
    [`7f${'ff'.repeat(19)}`, `7f${'ff'.repeat(19)}`],
  ])('%s is %s', (text, serial) => {
    expect(parseSerial(text)).toBe(serial)
  })

  it.each([
    ['', 'serial: must be hexadecimal, like 5f3a09c2'],
    ['0x1f', 'serial: must be hexadecimal, like 5f3a09c2'],
    ['-1', 'serial: must be hexadecimal, like 5f3a09c2'],
    ['1\n', 'serial: must be hexadecimal, like 5f3a09c2'],
    [':1', 'serial: must be hexadecimal, like 5f3a09c2'],
    ['0000', 'serial: must not be zero (RFC 5280 section 4.1.2.2)'],
    ['ff'.repeat(20), 'serial: has 21 octets, at most 20 are allowed'],
  ])('%j is refused', (text, message) => {
    expect(refusalOf(() => parseSerial(text))).toEqual({ code: 'serial-invalid', message })
  })

  it('goes through DER and back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 19 }), (bytes) => {
        fc.pre(bytes.some((byte) => byte !== 0))
        const serial = serialFromBytes(bytes)
        const der = unsignedInteger(Buffer.from(serial, 'hex'))
        expect(serialFromBytes(readDer(der, 'serial', (reader) => reader.positiveInteger('serial')))).toBe(
          serial,
        )
        expect(parseSerial(serial.toUpperCase())).toBe(serial)
      }),
    )
  })
})
