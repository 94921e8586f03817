import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PkiError } from '../error.ts'
import { claimPolicy, defaultProfiles } from './defaults.ts'
import { parseProfile } from './parse.ts'
import { purposeName, purposeOid } from './profile.ts'

const gateway = {
  name: 'gateway',
  issuer: 'devices',
  role: 'device',
  extendedKeyUsage: ['clientAuth'],
  lifetimeSeconds: 7 * 86_400,
}

function refusal(input: unknown): string {
  try {
    parseProfile(input)
  } catch (error) {
    if (error instanceof PkiError && error.code === 'profile-invalid') return error.message
    throw error
  }
  return 'accepted'
}

describe('a profile that an operator wrote', () => {
  it('is filled in with what a device has', () => {
    expect(parseProfile(gateway)).toEqual({
      ...defaultProfiles.device,
      name: 'gateway',
      lifetimeSeconds: 7 * 86_400,
    })
  })

  it('may say everything that the service profile says', () => {
    const { ca: _ca, ocspNoCheck: _noCheck, ...service } = defaultProfiles.service
    expect(parseProfile({ ...service, name: 'edge-service', rsaKeyEncipherment: true })).toEqual({
      ...defaultProfiles.service,
      name: 'edge-service',
      rsaKeyEncipherment: true,
    })
  })

  it('may be a claim of its own, with the policy of claims', () => {
    const claim = { ...gateway, name: 'batch-7', issuer: 'services', role: 'claim', policies: [claimPolicy] }
    expect(parseProfile(claim)).toMatchObject({ role: 'claim', policies: [claimPolicy] })
  })

  it.each([
    ['no object', [], 'profile: profile must be an object'],
    ['nothing', null, 'profile: profile must be an object'],
    ['an unknown field', { ...gateway, ca: true }, /^profile: ca is not a field of a profile; known: name, /],
    ['no name', { ...gateway, name: undefined }, /^profile: name must be 1 to 32 /],
    ['an upper-case name', { ...gateway, name: 'Gateway' }, /^profile: name must be 1 to 32 /],
    [
      'a built-in name',
      { ...gateway, name: 'operator' },
      /^profile: name must not be the name of a built-in/,
    ],
    ['the root as issuer', { ...gateway, issuer: 'root' }, 'profile: issuer must be devices or services'],
    ['itself as issuer', { ...gateway, issuer: 'self' }, 'profile: issuer must be devices or services'],
    ['no role', { ...gateway, role: undefined }, /^profile: role must be one of device, service, /],
    ['an unknown role', { ...gateway, role: 'admin' }, /^profile: role must be one of device, service, /],
    [
      'an operator from the Devices CA',
      { ...gateway, role: 'operator' },
      'profile: issuer must be services for the role operator',
    ],
    [
      'a device from the Services CA',
      { ...gateway, issuer: 'services' },
      'profile: issuer must be devices for the role device',
    ],
    [
      'a CA bit',
      { ...gateway, keyUsage: ['digitalSignature', 'keyCertSign'] },
      /^profile: keyUsage must be a/,
    ],
    ['no digitalSignature', { ...gateway, keyUsage: [] }, /^profile: keyUsage must have digitalSignature/],
    ['no purpose', { ...gateway, extendedKeyUsage: [] }, /^profile: extendedKeyUsage must be a list with at/],
    [
      'every purpose',
      { ...gateway, extendedKeyUsage: ['2.5.29.37.0'] },
      /^profile: extendedKeyUsage anyExtendedKeyUsage allows everything/,
    ],
    ['OCSP signing', { ...gateway, extendedKeyUsage: ['OCSPSigning'] }, /only the built-in profile ocsp/],
    [
      'OCSP signing as an object identifier',
      { ...gateway, extendedKeyUsage: ['1.3.6.1.5.5.7.3.9'] },
      /only the built-in profile ocsp/,
    ],
    [
      'a misspelt purpose',
      { ...gateway, extendedKeyUsage: ['ClientAuth'] },
      /^profile: extendedKeyUsage must/,
    ],
    ['an inherited word as purpose', { ...gateway, extendedKeyUsage: ['toString'] }, /extendedKeyUsage must/],
    [
      'the same purpose twice under two names',
      { ...gateway, extendedKeyUsage: ['clientAuth', '1.3.6.1.5.5.7.3.2'] },
      'profile: extendedKeyUsage must not name the same thing twice',
    ],
    [
      'a server without a host name',
      { ...gateway, extendedKeyUsage: ['serverAuth'] },
      /^profile: subjectAltNames must allow dns or ip/,
    ],
    [
      'an e-mail address',
      { ...gateway, subjectAltNames: ['email'] },
      'profile: subjectAltNames must be a list of dns, ip',
    ],
    [
      'RSA key exchange for a client',
      { ...gateway, rsaKeyEncipherment: true },
      /^profile: rsaKeyEncipherment is/,
    ],
    [
      'a word as flag',
      { ...gateway, rsaKeyEncipherment: 'yes' },
      'profile: rsaKeyEncipherment must be true or false',
    ],
    [
      'the claim policy for a device',
      { ...gateway, policies: [claimPolicy] },
      /^profile: policies must have 2\.25/,
    ],
    [
      'a claim without its policy',
      { ...gateway, issuer: 'services', role: 'claim' },
      /^profile: policies must have 2\.25/,
    ],
    [
      'a malformed policy',
      { ...gateway, policies: ['1.40.1'] },
      /^profile: policies must be a list of dotted/,
    ],
    ['no lifetime', { ...gateway, lifetimeSeconds: undefined }, /^profile: lifetimeSeconds must be a whole/],
    [
      'a lifetime in words',
      { ...gateway, lifetimeSeconds: '7d' },
      /^profile: lifetimeSeconds must be a whole/,
    ],
    [
      'a lifetime of half seconds',
      { ...gateway, lifetimeSeconds: 90.5 },
      /^profile: lifetimeSeconds must be/,
    ],
    ['a lifetime of a century', { ...gateway, lifetimeSeconds: 3e9 }, /^profile: lifetimeSeconds must be/],
    ['a lifetime of nothing', { ...gateway, lifetimeSeconds: 0 }, /^profile: lifetimeSeconds must be/],
    ['a grace of years', { ...gateway, renewalGraceSeconds: 4e7 }, /^profile: renewalGraceSeconds must be a/],
    ['a negative backdate', { ...gateway, backdateSeconds: -1 }, /^profile: backdateSeconds must be a whole/],
  ])('is refused with %s', (_what, input, message) => {
    expect(refusal(input)).toMatch(message)
  })

  it('is refused or becomes a leaf of an issuing CA, whatever it says', () => {
    const anyField = fc.constantFrom(...Object.keys(defaultProfiles.claim), 'pathLength', 'constructor')
    const anyValue = fc.oneof(
      fc.anything(),
      fc.constantFrom(...Object.values(defaultProfiles.claim), ...Object.values(defaultProfiles.issuing)),
    )
    fc.assert(
      fc.property(fc.dictionary(anyField, anyValue, { maxKeys: 4 }), (changes) => {
        let profile
        try {
          profile = parseProfile({ ...gateway, ...changes })
        } catch (error) {
          expect(error).toBeInstanceOf(PkiError)
          return
        }
        expect(profile.ca).toBe(false)
        expect(profile.ocspNoCheck).toBe(false)
        expect(profile.issuer).toBe(profile.role === 'device' ? 'devices' : 'services')
      }),
    )
  })
})

describe('a purpose', () => {
  it('has a name, an object identifier, or only the latter', () => {
    expect(purposeOid('clientAuth')).toBe('1.3.6.1.5.5.7.3.2')
    expect(purposeName('1.3.6.1.5.5.7.3.2')).toBe('clientAuth')
    for (const other of ['1.2.3', 'toString'])
      expect([purposeOid(other), purposeName(other)]).toEqual([other, other])
  })
})

describe('the default profiles', () => {
  it('are those of the design: name, issuer, role, purposes and days', () => {
    const table = Object.values(defaultProfiles).map((profile) => [
      profile.name,
      profile.issuer,
      'role' in profile ? profile.role : undefined,
      profile.keyUsage.join(' '),
      profile.extendedKeyUsage.join(' '),
      profile.lifetimeSeconds / 86_400,
    ])
    expect(table).toEqual([
      ['root', 'self', undefined, 'keyCertSign cRLSign', '', 7300],
      ['issuing', 'root', undefined, 'keyCertSign cRLSign', '', 3650],
      ['device', 'devices', 'device', 'digitalSignature', 'clientAuth', 30],
      ['service', 'services', 'service', 'digitalSignature', 'serverAuth clientAuth', 30],
      ['operator', 'services', 'operator', 'digitalSignature', 'clientAuth', 1],
      ['claim', 'services', 'claim', 'digitalSignature', 'clientAuth', 365],
      ['ocsp', 'any', undefined, 'digitalSignature', 'OCSPSigning', 7],
    ])
  })

  it('backdate by an hour, renew nothing that has expired, and are plain data', () => {
    for (const profile of Object.values(defaultProfiles)) {
      expect(profile).toMatchObject({ backdateSeconds: 3600, renewalGraceSeconds: 0 })
    }
    expect(structuredClone(defaultProfiles)).toEqual(defaultProfiles)
  })

  it('are named as their keys', () => {
    for (const [key, profile] of Object.entries(defaultProfiles)) expect(profile.name).toBe(key)
  })
})
