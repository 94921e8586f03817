import { describe, expect, it } from 'vitest'
import {
  bitString,
  boolean,
  enumerated,
  explicit,
  integer,
  sequence,
  tlv,
  unsignedInteger,
} from '../der/index.ts'
import * as der from '../der/index.ts'
import { encodeExtension } from '../extension/index.ts'
import { encodeSignatureAlgorithm, type SignatureAlgorithm } from '../key/index.ts'
import { encodeName, nameOf } from '../name/index.ts'
import { refusalOf } from '../testing/refusal.ts'
import { newSerial } from '../serial.ts'
import { testNow } from '../testing/authority.ts'
import { testCrl, tomorrow } from '../testing/crl.ts'
import { CrlEntries } from './entries.ts'
import { maxCrlBytes, parseCrl } from './parse.ts'

const utf8 = (text: string) => Buffer.from(text, 'latin1')
const extension = (oid: string, critical: boolean, value: Buffer) => encodeExtension({ oid, critical, value })
const keyId = extension('2.5.29.35', false, sequence(der.implicit(0, Buffer.alloc(20, 7))))
const number = extension('2.5.29.20', false, integer(7))
const row = (serial: Buffer, time: Buffer, ...extensions: Buffer[]) =>
  sequence(serial, time, ...(extensions.length === 0 ? [] : [sequence(...extensions)]))
const when = der.time(testNow)
const reason = (value: Buffer) => extension('2.5.29.21', false, value)

/** A list put together by hand, so that it can be wrong. */
function crl(parts: {
  version?: Buffer[]
  times?: Buffer[]
  rows?: Buffer[] | null
  extensions?: Buffer[] | null
  outer?: SignatureAlgorithm
}): Buffer {
  const { version = [integer(1)], times = [when, der.time(tomorrow)], rows = null, outer = 'Ed25519' } = parts
  const { extensions = [keyId, number] } = parts
  const tbs = sequence(
    ...version,
    encodeSignatureAlgorithm('Ed25519'),
    encodeName(nameOf({ commonName: 'CA' })),
    ...times,
    ...(rows === null ? [] : [sequence(...rows)]),
    ...(extensions === null ? [] : [explicit(0, sequence(...extensions))]),
  )
  return sequence(tbs, encodeSignatureAlgorithm(outer), bitString(Buffer.alloc(64)))
}

describe('parseCrl', () => {
  it('reads the list that the cases below make wrong', () => {
    expect(parseCrl(crl({ rows: [row(integer(5), when)] })).revoked.size).toBe(1)
    expect(parseCrl(crl({ rows: [row(integer(5), when, reason(enumerated(0)))] })).revoked.size).toBe(1)
  })

  const point = (value: Buffer, critical = true) => [keyId, number, extension('2.5.29.28', critical, value)]
  it.each<[string, Parameters<typeof crl>[0], string, string]>([
    ['version 1', { version: [] }, 'crl-malformed', 'version must be 2'],
    ['version 3', { version: [integer(2)] }, 'crl-malformed', 'version must be 2'],
    ['no nextUpdate', { times: [when] }, 'crl-malformed', 'nextUpdate is missing'],
    ['nextUpdate before thisUpdate', { times: [der.time(tomorrow), when] }, 'crl-malformed', 'must be later'],
    ['an empty list', { rows: [] }, 'crl-malformed', 'revokedCertificates must not be empty'],
    ['no extensions', { extensions: null }, 'crl-malformed', 'authorityKeyIdentifier has no keyIdentifier'],
    ['no number', { extensions: [keyId] }, 'crl-malformed', 'cRLNumber is missing'],
    ['no key identifier', { extensions: [number] }, 'crl-malformed', 'authorityKeyIdentifier'],
    [
      'a negative number',
      { extensions: [keyId, extension('2.5.29.20', false, integer(-1))] },
      'crl-malformed',
      'cRLNumber must have 1 to 159 bits',
    ],
    [
      'a number of 21 octets',
      { extensions: [keyId, extension('2.5.29.20', false, integer(2n ** 160n))] },
      'crl-malformed',
      'cRLNumber must have 1 to 159 bits',
    ],
    [
      'another outer algorithm',
      { outer: 'ecdsa-with-SHA256' },
      'crl-malformed',
      'signatureAlgorithm differs',
    ],
    [
      'an unknown critical extension',
      { extensions: [keyId, number, extension('1.2.3', true, der.nullValue())] },
      'crl-unsupported',
      'critical extension 1.2.3 is unknown',
    ],
    [
      'an unknown critical extension of an entry',
      { rows: [row(integer(5), when, extension('2.5.29.29', true, sequence()))] },
      'crl-unsupported',
      'critical extension 2.5.29.29 is unknown',
    ],
    [
      'a delta whose base is not critical',
      { extensions: [keyId, number, extension('2.5.29.27', false, integer(3))] },
      'crl-malformed',
      'deltaCRLIndicator must be critical',
    ],
    [
      'a delta as old as its base',
      { extensions: [keyId, number, extension('2.5.29.27', true, integer(7))] },
      'crl-malformed',
      'must be larger than that of its base',
    ],
    [
      'removeFromCRL in a complete list',
      { rows: [row(integer(5), when, reason(enumerated(8)))] },
      'crl-malformed',
      'removeFromCRL is for delta CRLs only',
    ],
    [
      'removeFromCRL beside an invalidityDate in a complete list',
      {
        rows: [
          row(
            integer(5),
            when,
            reason(enumerated(8)),
            extension('2.5.29.24', false, der.generalizedTime(testNow)),
          ),
        ],
      },
      'crl-malformed',
      'removeFromCRL is for delta CRLs only',
    ],
    [
      'reason 7',
      { rows: [row(integer(5), when, reason(enumerated(7)))] },
      'crl-unsupported',
      '7 is not a reason',
    ],
    [
      'reason 11',
      { rows: [row(integer(5), when, reason(enumerated(11)))] },
      'crl-unsupported',
      '11 is not a',
    ],
    [
      'a reason as INTEGER',
      { rows: [row(integer(5), when, reason(integer(1)))] },
      'crl-malformed',
      'enumerated',
    ],
    ['the serial 0', { rows: [row(integer(0), when)] }, 'crl-malformed', 'must not be zero'],
    ['a negative serial', { rows: [row(integer(-5), when)] }, 'crl-malformed', 'negative'],
    ['a padded serial', { rows: [row(tlv(2, Buffer.of(0, 5)), when)] }, 'crl-malformed', 'not minimal'],
    [
      'a serial of 21 octets',
      { rows: [row(unsignedInteger(Buffer.alloc(20, 255)), when)] },
      'crl-malformed',
      '21',
    ],
    [
      'the same serial twice',
      { rows: [row(integer(5), when), row(integer(5), when)] },
      'crl-malformed',
      'twice',
    ],
    [
      'the 30th of February',
      { rows: [row(integer(5), tlv(0x17, utf8('280230000000Z')))] },
      'crl-malformed',
      'is not a date',
    ],
    [
      'the 29th of February 2027',
      { rows: [row(integer(5), tlv(0x17, utf8('270229000000Z')))] },
      'crl-malformed',
      'is not a date',
    ],
    [
      'the 24th hour',
      { rows: [row(integer(5), tlv(0x17, utf8('270228240000Z')))] },
      'crl-malformed',
      'is not a',
    ],
    [
      'a letter in a time',
      { rows: [row(integer(5), tlv(0x17, utf8('2702282x0000Z')))] },
      'crl-malformed',
      'not a',
    ],
    ['an entry that is none', { rows: [integer(5)] }, 'crl-malformed', 'expected sequence'],
    ['an entry without time', { rows: [row(integer(5), Buffer.of())] }, 'crl-malformed', 'revocationDate'],
    [
      'an entry cut off',
      { rows: [Buffer.of(0x30, 0x16, 2, 1, 5)] },
      'crl-malformed',
      'longer than what holds it',
    ],
    ['an empty scope', { extensions: point(sequence()) }, 'crl-malformed', 'must not be empty'],
    [
      'a scope that is not critical',
      { extensions: point(sequence(der.implicit(1, Buffer.of(0xff))), false) },
      'crl-malformed',
      'must be critical',
    ],
    [
      'a scope of nobody',
      { extensions: point(sequence(...[1, 2].map((n) => der.implicit(n, Buffer.of(0xff))))) },
      'crl-malformed',
      'must not be for end entities only and for CAs only',
    ],
    [
      'some reasons',
      { extensions: point(sequence(tlv(0x83, Buffer.of(6, 64)))) },
      'crl-unsupported',
      'by reason',
    ],
    [
      'an indirect list',
      { extensions: point(sequence(tlv(0x84, Buffer.of(255)))) },
      'crl-unsupported',
      'indirect',
    ],
    [
      'a flag written as FALSE',
      { extensions: point(sequence(tlv(0x81, Buffer.of(0)))) },
      'crl-malformed',
      'a flag must be TRUE',
    ],
  ])('refuses %s', (_, parts, code, message) => {
    const refused = refusalOf(() => parseCrl(crl(parts)))
    expect(refused.code).toBe(code)
    expect(refused.message).toContain(message)
  })

  it('reads the 29th of February of a leap year, years of four digits, and entries in any order', () => {
    const times = [tlv(0x17, utf8('280229235959Z')), der.time(new Date('2050-01-01T00:00:00Z'))]
    const { revoked } = parseCrl(crl({ rows: times.map((time, index) => row(integer(9 - index), time)) }))
    expect([...revoked].map(({ serial, revokedAt }) => [serial, revokedAt.toISOString()])).toEqual([
      ['09', '2028-02-29T23:59:59.000Z'],
      ['08', '2050-01-01T00:00:00.000Z'],
    ])
  })

  it('passes over unknown extensions that are not critical, also in entries longer than 127 octets', () => {
    const other = extension('1.2.3', false, Buffer.alloc(300))
    const rows = [row(integer(5), when, reason(enumerated(1)), other), row(integer(6), when)]
    const { revoked } = parseCrl(crl({ rows, extensions: [keyId, number, other] }))
    expect([...revoked].map(({ serial, reason }) => [serial, reason])).toEqual([
      ['05', 'keyCompromise'],
      ['06', undefined],
    ])
  })

  it('refuses trailing bytes and lists over the limit', async () => {
    const { der } = await testCrl()
    expect(refusalOf(() => parseCrl(Buffer.concat([der, Buffer.of(0)]))).code).toBe('crl-malformed')
    expect(refusalOf(() => parseCrl(der, { maxBytes: der.length - 1 })).code).toBe('crl-too-large')
    expect(refusalOf(() => parseCrl(Buffer.alloc(maxCrlBytes + 1))).code).toBe('crl-too-large')
    expect(refusalOf(() => parseCrl(sequence(boolean(true)))).message).toContain('CRL: ')
  })

  it('finds each of 20,000 entries, among them every date of four years, as they were made', async () => {
    const rows = Array.from({ length: 20_000 }, (_, index) => ({
      serial: newSerial(),
      revokedAt: new Date(Date.UTC(2024, 0, 1) + index * 6_307_000),
      reason: 'superseded' as const,
    }))
    const { revoked } = parseCrl((await testCrl({ entries: new CrlEntries(rows) })).der)
    expect(revoked.size).toBe(rows.length)
    const wrong = rows.filter(
      ({ serial, revokedAt }) =>
        revoked.get(serial)?.revokedAt.getTime() !== Math.floor(revokedAt.getTime() / 1000) * 1000,
    )
    expect(wrong).toEqual([])
  })
})
