import { isIP } from 'node:net'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { implicit, sequence } from '../der/index.ts'
import { refusalOf } from '../testing/refusal.ts'
import { formatIpAddress, parseIpAddress } from './ip-address.ts'
import {
  decodeSubjectAltNames,
  encodeSubjectAltNames,
  isSubjectAltName,
  type SubjectAltName,
} from './subject-alt-name.ts'

describe('subject alternative names', () => {
  it('are encoded as GeneralNames and decoded to the same', () => {
    const names: SubjectAltName[] = [
      { type: 'dns', value: 'broker.example' },
      { type: 'dns', value: '*.example' },
      { type: 'ip', value: '127.0.0.1' },
      { type: 'ip', value: '::1' },
      { type: 'uri', value: 'spiffe://fleet.example/device/pump-7' },
      { type: 'email', value: 'ops@fleet.example' },
      { type: 'other', value: '8803550403' },
      { type: 'other', value: 'a4023000' },
    ]
    const der = encodeSubjectAltNames(names)
    expect(decodeSubjectAltNames(der)).toEqual(names)
    expect(names.every(isSubjectAltName)).toBe(true)
    expect(encodeSubjectAltNames(names.slice(0, 1)).toString('hex')).toBe(
      '3010820e62726f6b65722e6578616d706c65',
    )
  })

  it.each<[SubjectAltName['type'], string]>([
    ['dns', ''],
    ['dns', 'a b'],
    ['dns', 'a..b'],
    ['dns', '-a'],
    ['dns', `${'a'.repeat(64)}.example`],
    ['dns', `${'a.'.repeat(127)}aa`],
    ['dns', 'a.*'],
    ['dns', 'a\0.example'],
    ['dns', 'exämple'],
    ['uri', 'no-scheme'],
    ['uri', 'spiffe://a/b c'],
    ['uri', 'spiffe://a/\n'],
    ['email', 'nobody'],
    ['ip', '127.1'],
    ['ip', '127.0.0.01'],
    ['ip', '256.0.0.1'],
    ['ip', '10.0.0.0/8'],
    ['ip', 'fe80::1%eth0'],
    ['ip', '1::2::3'],
    ['ip', '1:2:3:4:5:6:7'],
    ['ip', '1:2:3:4:5:6:7:8::'],
    ['ip', ':1'],
    ['ip', '::12345'],
    ['ip', '1.2.3.4::'],
  ])('are not written for a %s like %j', (type, value) => {
    expect(refusalOf(() => encodeSubjectAltNames([{ type, value }])).code).toBe('subject-alt-name-invalid')
    expect(isSubjectAltName({ type, value })).toBe(false)
  })

  it('are not written for an empty list, and not read from one', () => {
    expect(refusalOf(() => encodeSubjectAltNames([])).code).toBe('subject-alt-name-invalid')
    expect(refusalOf(() => decodeSubjectAltNames(sequence())).code).toBe('der-invalid')
  })

  it.each([
    ['an address of 5 octets', implicit(7, Buffer.alloc(5))],
    ['a DNS name that is not ASCII', implicit(2, Buffer.from('é'))],
    ['a tag that no GeneralName has', implicit(9, Buffer.from('a'))],
    ['a constructed DNS name', Buffer.from('a2030401aa', 'hex')],
    ['a primitive directoryName', implicit(4, Buffer.from('a'))],
  ])('are not read from %s', (_, name) => {
    expect(refusalOf(() => decodeSubjectAltNames(sequence(name))).code).toBe('der-invalid')
  })

  it('keep NUL and whatever else they hold, for the reader to judge', () => {
    expect(decodeSubjectAltNames(sequence(implicit(2, Buffer.from('a\0.b'))))).toEqual([
      { type: 'dns', value: 'a\0.b' },
    ])
  })
})

describe('an IP address', () => {
  it.each([
    ['::', '00000000000000000000000000000000'],
    ['::1', '00000000000000000000000000000001'],
    ['2001:db8::1', '20010db8000000000000000000000001'],
    ['2001:db8:0:1:1:1:1:1', '20010db8000000010001000100010001'],
    ['2001:0:0:1::1', '20010000000000010000000000000001'],
    ['1::', '00010000000000000000000000000000'],
    ['10.0.0.255', '0a0000ff'],
  ])('%s is %s, and back', (text, hex) => {
    expect(parseIpAddress(text).toString('hex')).toBe(hex)
    expect(formatIpAddress(Buffer.from(hex, 'hex'))).toBe(text)
  })

  it('with dotted octets at its end is read', () => {
    expect(parseIpAddress('::ffff:1.2.3.4').toString('hex')).toBe('00000000000000000000ffff01020304')
  })

  it('is one to us when it is one to node:net', () => {
    const group = fc.stringMatching(/^[0-9a-f]{0,5}$/)
    const text = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.array(group, { maxLength: 9 }).map((groups) => groups.join(':')),
    )
    fc.assert(
      fc.property(text, (address) => {
        let octets
        try {
          octets = parseIpAddress(address)
        } catch {
          octets = undefined
        }
        expect(octets === undefined ? 0 : octets.length === 4 ? 4 : 6).toBe(isIP(address))
        if (octets !== undefined) expect(parseIpAddress(formatIpAddress(octets))).toEqual(octets)
      }),
      { numRuns: 2000 },
    )
  })
})
