import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseDeviceId } from '../device-id.ts'
import { PkiError } from '../error.ts'
import { attributeTypes, type Name, type NameAttribute, type SubjectAltName } from '../name/index.ts'
import { certificateIdentity, isRole, parseSpiffeUri, type Role, roles, spiffeUri } from './index.ts'

const cn = (value: string, encoding: NameAttribute['encoding'] = 'utf8'): NameAttribute => ({
  type: attributeTypes.CN,
  value,
  encoding,
})
const organization: NameAttribute = { type: attributeTypes.O, value: 'Fleetroot', encoding: 'utf8' }
const uri = (value: string): SubjectAltName => ({ type: 'uri', value })
const good = uri('spiffe://fleet.example/device/pump-7')

function identityOf(subject: Name, ...subjectAltNames: SubjectAltName[]) {
  return certificateIdentity({ subject, subjectAltNames })
}

describe('the identity of a certificate', () => {
  it('is its only CN with the role and trust domain of its SPIFFE URI', () => {
    const expected = { id: 'pump-7', role: 'device', trustDomain: 'fleet.example' }
    expect(identityOf([[cn('pump-7')]], good)).toEqual(expected)
    expect(identityOf([[organization], [cn('pump-7', 'printable')]], good)).toEqual(expected)
    const names: SubjectAltName[] = [
      { type: 'dns', value: 'pump-7.example' },
      good,
      { type: 'ip', value: '10.0.0.1' },
    ]
    expect(identityOf([[cn('pump-7')]], ...names)).toEqual(expected)
  })

  it.each<[string, Name, SubjectAltName[], string]>([
    ['no subject', [], [good], 'common-name-missing'],
    ['no CN', [[organization]], [good], 'common-name-missing'],
    ['two CNs', [[cn('pump-7')], [cn('pump-7')]], [good], 'common-name-duplicate'],
    ['two CNs in one RDN', [[cn('pump-7'), cn('pump-8')]], [good], 'name-multi-valued'],
    ['a CN beside an O in one RDN', [[cn('pump-7'), organization]], [good], 'name-multi-valued'],
    [
      'another RDN that is multi-valued',
      [[organization, organization], [cn('pump-7')]],
      [good],
      'name-multi-valued',
    ],
    ['a CN in TeletexString', [[cn('pump-7', 'teletex')]], [good], 'common-name-encoding'],
    ['a CN in BMPString', [[cn('pump-7', 'bmp')]], [good], 'common-name-encoding'],
    ['a CN in IA5String', [[cn('pump-7', 'ia5')]], [good], 'common-name-encoding'],
    ['a CN that is no string', [[cn('0101ff', 'other')]], [good], 'common-name-encoding'],
    ['an empty CN', [[cn('')]], [good], 'common-name-not-device-id'],
    ['a NUL in the CN', [[cn('pump-7\0')]], [good], 'common-name-not-device-id'],
    ['a line feed after the CN', [[cn('pump-7\n')]], [good], 'common-name-not-device-id'],
    ['a topic in the CN', [[cn('pump/7')]], [good], 'common-name-not-device-id'],
    ['a wildcard as CN', [[cn('+')]], [good], 'common-name-not-device-id'],
    ['dots as CN', [[cn('..')]], [good], 'common-name-not-device-id'],
    ['a Cyrillic letter in the CN', [[cn('рump-7')]], [good], 'common-name-not-device-id'],
    ['65 characters of CN', [[cn('a'.repeat(65))]], [good], 'common-name-not-device-id'],
    ['no URI', [[cn('pump-7')]], [{ type: 'dns', value: 'pump-7' }], 'spiffe-uri-missing'],
    ['the same SPIFFE URI twice', [[cn('pump-7')]], [good, good], 'spiffe-uri-duplicate'],
    ['another URI beside it', [[cn('pump-7')]], [good, uri('urn:uuid:1')], 'spiffe-uri-duplicate'],
    ['the id of another device in the URI', [[cn('pump-8')]], [good], 'identity-mismatch'],
    ['another case in the URI', [[cn('Pump-7')]], [good], 'identity-mismatch'],
    ...[
      'https://fleet.example/device/pump-7',
      'SPIFFE://fleet.example/device/pump-7',
      'spiffe://Fleet.example/device/pump-7',
      'spiffe://fleet.example:443/device/pump-7',
      'spiffe://user@fleet.example/device/pump-7',
      'spiffe:///device/pump-7',
      'spiffe://fleet.example/admin/pump-7',
      'spiffe://fleet.example/Device/pump-7',
      'spiffe://fleet.example/device/pump-7/',
      'spiffe://fleet.example/device/pump-7?x',
      'spiffe://fleet.example/device/pump-7#x',
      'spiffe://fleet.example//device/pump-7',
      'spiffe://fleet.example/device/pump%2d7',
      'spiffe://fleet.example/operator/x/../../device/pump-7',
      'spiffe://fleet.example/device',
      'spiffe://fleet.example/device/pump-7\0',
      'spiffe://fleet.example/constructor/pump-7',
    ].map((text): [string, Name, SubjectAltName[], string] => [
      `the URI ${JSON.stringify(text)}`,
      [[cn('pump-7')]],
      [uri(text)],
      'spiffe-uri-invalid',
    ]),
  ])('is refused with %s', (_what, subject, names, code) => {
    expect(identityOf(subject, ...names)).toEqual({
      refused: code,
      detail: expect.stringMatching(/^subject/) as unknown,
    })
  })
})

describe('a SPIFFE URI', () => {
  it('is written and read for every trust domain, role and id', () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[a-z0-9._-]{1,255}$/),
        fc.constantFrom(...roles),
        fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/),
        (trustDomain, role, text) => {
          const id = parseDeviceId(text)
          expect(parseSpiffeUri(spiffeUri(trustDomain, role, id))).toEqual({ trustDomain, role, id })
        },
      ),
    )
  })

  it('has one spelling: whatever parses is what would be written', () => {
    const piece = fc.constantFrom(
      'spiffe',
      ':',
      '/',
      '//',
      'fleet',
      'device',
      'pump-7',
      '.',
      '..',
      '%2f',
      ' ',
      'é',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 9 }), (pieces) => {
        const text = `spiffe://${pieces.join('')}`
        const identity = parseSpiffeUri(text)
        if (identity === undefined) return
        expect(spiffeUri(identity.trustDomain, identity.role, identity.id)).toBe(text)
      }),
      { numRuns: 2000 },
    )
  })

  it.each(['', 'Fleet.example', 'fleet example', 'fleet/example', 'a'.repeat(256), 'flÃ©et', 'x\n'])(
    'is not written for the trust domain %j',
    (trustDomain) => {
      expect(() => spiffeUri(trustDomain, 'device', parseDeviceId('pump-7'))).toThrow(PkiError)
    },
  )

  it('is not written for an id that only claims to be one', () => {
    const forced = 'pump-7/../..' as ReturnType<typeof parseDeviceId>
    expect(() => spiffeUri('fleet.example', 'device', forced)).toThrow(PkiError)
  })
})

describe('a role', () => {
  it('is one of four words, in lower case', () => {
    expect(roles satisfies readonly Role[]).toEqual(['device', 'service', 'operator', 'claim'])
    expect(['device', 'Device', 'root', '', 'toString'].filter(isRole)).toEqual(['device'])
  })
})
