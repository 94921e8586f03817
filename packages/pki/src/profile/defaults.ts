import type { Profile } from './profile.ts'

const minute = 60
const hour = 60 * minute
const day = 24 * hour
const year = 365 * day

/**
 * The policy that marks a claim certificate: it may reach enrollment and nothing else. The arc 2.25 holds
 * object identifiers made from a UUID, which need no registration (ITU-T X.667, section 7).
 */
export const claimPolicy = '2.25.45823534306104604120640240434383631207'

const leaf = {
  ca: false,
  keyUsage: ['digitalSignature'],
  rsaKeyEncipherment: false,
  subjectAltNames: [],
  policies: [],
  ocspNoCheck: false,
  backdateSeconds: hour,
  renewalGraceSeconds: 0,
  requireLinking: false,
} as const

const authority = {
  ...leaf,
  ca: true,
  keyUsage: ['keyCertSign', 'cRLSign'],
  extendedKeyUsage: [],
} as const

/**
 * The profiles that exist without configuration. Each value is plain data; an operator's own profile has the
 * same shape and passes `parseProfile` first.
 */
export const defaultProfiles = {
  root: { ...authority, name: 'root', issuer: 'self', lifetimeSeconds: 20 * year },
  issuing: { ...authority, name: 'issuing', issuer: 'root', pathLength: 0, lifetimeSeconds: 10 * year },
  device: {
    ...leaf,
    name: 'device',
    issuer: 'devices',
    role: 'device',
    extendedKeyUsage: ['clientAuth'],
    lifetimeSeconds: 30 * day,
  },
  service: {
    ...leaf,
    name: 'service',
    issuer: 'services',
    role: 'service',
    extendedKeyUsage: ['serverAuth', 'clientAuth'],
    subjectAltNames: ['dns', 'ip'],
    lifetimeSeconds: 30 * day,
  },
  operator: {
    ...leaf,
    name: 'operator',
    issuer: 'services',
    role: 'operator',
    extendedKeyUsage: ['clientAuth'],
    lifetimeSeconds: day,
  },
  claim: {
    ...leaf,
    name: 'claim',
    issuer: 'services',
    role: 'claim',
    extendedKeyUsage: ['clientAuth'],
    policies: [claimPolicy],
    lifetimeSeconds: year,
  },
  ocsp: {
    ...leaf,
    name: 'ocsp',
    issuer: 'any',
    extendedKeyUsage: ['OCSPSigning'],
    ocspNoCheck: true,
    lifetimeSeconds: 7 * day,
  },
} as const satisfies Record<string, Profile>
