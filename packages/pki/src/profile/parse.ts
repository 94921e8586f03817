import { PkiError } from '../error.ts'
import { isRole, roles, rolesOfIssuer } from '../identity/role.ts'
import type { Role } from '../identity/role.ts'
import { claimPolicy, defaultProfiles } from './defaults.ts'
import { keyUsages, namedPurposes, purposeOid } from './profile.ts'
import type { ExtendedKeyUsage, KeyUsage, Profile } from './profile.ts'

const minimumLifetimeSeconds = 60
/** Ten years: as long as the issuing CA, which cuts it anyway. */
const maximumLifetimeSeconds = 10 * 365 * 24 * 60 * 60
const maximumBackdateSeconds = 24 * 60 * 60
/** A certificate that may be renewed for longer than a year after its end has no end. */
const maximumGraceSeconds = 365 * 24 * 60 * 60

const fields = [
  'name',
  'issuer',
  'role',
  'keyUsage',
  'rsaKeyEncipherment',
  'extendedKeyUsage',
  'subjectAltNames',
  'policies',
  'lifetimeSeconds',
  'backdateSeconds',
  'renewalGraceSeconds',
  'requireLinking',
] as const

/** Bits that a leaf here may have: the others make CAs, or mean nothing to TLS. */
const leafKeyUsages: readonly KeyUsage[] = keyUsages.filter(
  (usage) => usage === 'digitalSignature' || usage === 'keyEncipherment' || usage === 'keyAgreement',
)

/** Purposes that would turn a leaf into something that signs for the hierarchy, or into everything. */
const refusedPurposes = new Map<string, string>([
  ['2.5.29.37.0', 'anyExtendedKeyUsage allows everything; name the purposes'],
  [namedPurposes.OCSPSigning, 'only the built-in profile ocsp may sign OCSP responses'],
])

/**
 * Checks a profile that an operator wrote and fills in what it leaves out (`keyUsage` digitalSignature,
 * `backdateSeconds` 3600, `renewalGraceSeconds` 0, no further names, no policies, no linking). `name`, `issuer`, `role`, `extendedKeyUsage` and
 * `lifetimeSeconds` are required.
 *
 * Refuses everything that could make a CA, an OCSP responder or a second meaning of a built-in name, and a
 * role whose issuer is not the one that relying parties expect for it: a device is what the Devices CA issued.
 *
 * @throws PkiError `profile-invalid`; the message names the field and what it may be.
 * @example parseProfile({ name: 'gateway', issuer: 'devices', role: 'device',
 *   extendedKeyUsage: ['clientAuth'], lifetimeSeconds: 7 * 86_400 })
 */
export function parseProfile(input: unknown): Profile {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw refuse('profile', 'must be an object')
  }
  const written = input as Record<string, unknown>
  for (const key of Object.keys(written)) {
    if (!(fields as readonly string[]).includes(key)) {
      throw refuse(key, `is not a field of a profile; known: ${fields.join(', ')}`)
    }
  }
  const issuer = parseIssuer(written['issuer'])
  const subjectAltNames = parseList(written, 'subjectAltNames', ['dns', 'ip'] as const) ?? []
  const profile: Profile = {
    name: parseName(written['name']),
    issuer,
    role: parseRole(written['role'], issuer),
    ca: false,
    keyUsage: parseKeyUsage(written),
    rsaKeyEncipherment: parseFlag(written, 'rsaKeyEncipherment'),
    extendedKeyUsage: parsePurposes(written['extendedKeyUsage']),
    subjectAltNames,
    policies: parsePolicies(written['policies']),
    ocspNoCheck: false,
    lifetimeSeconds: parseSeconds(written, 'lifetimeSeconds', minimumLifetimeSeconds, maximumLifetimeSeconds),
    backdateSeconds:
      written['backdateSeconds'] === undefined
        ? defaultProfiles.device.backdateSeconds
        : parseSeconds(written, 'backdateSeconds', 0, maximumBackdateSeconds),
    renewalGraceSeconds:
      written['renewalGraceSeconds'] === undefined
        ? 0
        : parseSeconds(written, 'renewalGraceSeconds', 0, maximumGraceSeconds),
    requireLinking: parseFlag(written, 'requireLinking'),
  }
  return checkTogether(profile)
}

/** What no single field shows. */
function checkTogether(profile: Profile): Profile {
  const isServer = profile.extendedKeyUsage.map(purposeOid).includes(namedPurposes.serverAuth)
  if (isServer && profile.subjectAltNames.length === 0) {
    throw refuse(
      'subjectAltNames',
      'must allow dns or ip when extendedKeyUsage has serverAuth: TLS clients look there for the host',
    )
  }
  if (!isServer && profile.rsaKeyEncipherment) {
    throw refuse('rsaKeyEncipherment', 'is for servers: extendedKeyUsage must have serverAuth')
  }
  // The policy is what lets a relying party that looks at nothing else tell a claim from an identity.
  if ((profile.role === 'claim') !== profile.policies.includes(claimPolicy)) {
    throw refuse('policies', `must have ${claimPolicy} for the role claim, and for no other role`)
  }
  return profile
}

function parseName(value: unknown): string {
  if (typeof value !== 'string' || !/^[a-z0-9][a-z0-9-]{0,31}$/.test(value)) {
    throw refuse('name', 'must be 1 to 32 lower-case letters, digits or "-", and not begin with "-"')
  }
  if (Object.hasOwn(defaultProfiles, value)) {
    throw refuse(
      'name',
      `must not be the name of a built-in profile (${Object.keys(defaultProfiles).join(', ')})`,
    )
  }
  return value
}

function parseIssuer(value: unknown): 'devices' | 'services' {
  if (value !== 'devices' && value !== 'services') throw refuse('issuer', 'must be devices or services')
  return value
}

function parseRole(value: unknown, issuer: 'devices' | 'services'): Role {
  if (typeof value !== 'string' || !isRole(value)) throw refuse('role', `must be one of ${roles.join(', ')}`)
  const expected = rolesOfIssuer.devices.some((role) => role === value) ? 'devices' : 'services'
  if (issuer !== expected) throw refuse('issuer', `must be ${expected} for the role ${value}`)
  return value
}

function parseKeyUsage(written: Record<string, unknown>): readonly KeyUsage[] {
  const usages = parseList(written, 'keyUsage', leafKeyUsages) ?? ['digitalSignature']
  if (!usages.includes('digitalSignature')) {
    throw refuse('keyUsage', 'must have digitalSignature: TLS 1.3 authenticates with nothing else')
  }
  return usages
}

function parsePurposes(value: unknown): readonly ExtendedKeyUsage[] {
  if (!Array.isArray(value) || value.length === 0) {
    throw refuse('extendedKeyUsage', 'must be a list with at least one purpose, for example ["clientAuth"]')
  }
  const purposes = value as unknown[]
  for (const purpose of purposes) {
    if (typeof purpose !== 'string' || !(Object.hasOwn(namedPurposes, purpose) || isDottedOid(purpose))) {
      throw refuse(
        'extendedKeyUsage',
        `must list ${Object.keys(namedPurposes).join(', ')} or dotted object identifiers`,
      )
    }
    const reason = refusedPurposes.get(purposeOid(purpose))
    if (reason !== undefined) throw refuse('extendedKeyUsage', reason)
  }
  const named = purposes as ExtendedKeyUsage[]
  unique('extendedKeyUsage', named.map(purposeOid))
  return named
}

function parsePolicies(value: unknown): readonly string[] {
  if (value === undefined) return []
  if (!Array.isArray(value) || !value.every((oid) => typeof oid === 'string' && isDottedOid(oid))) {
    throw refuse('policies', 'must be a list of dotted object identifiers')
  }
  return unique('policies', value as string[])
}

function parseList<T extends string>(
  written: Record<string, unknown>,
  field: string,
  allowed: readonly T[],
): readonly T[] | undefined {
  const value = written[field]
  if (value === undefined) return undefined
  if (!Array.isArray(value) || !value.every((item) => (allowed as readonly unknown[]).includes(item))) {
    throw refuse(field, `must be a list of ${allowed.join(', ')}`)
  }
  return unique(field, value as T[])
}

function unique<T>(field: string, values: readonly T[]): readonly T[] {
  if (new Set(values).size !== values.length) throw refuse(field, 'must not name the same thing twice')
  return values
}

function parseFlag(written: Record<string, unknown>, field: string): boolean {
  const value = written[field] ?? false
  if (typeof value !== 'boolean') throw refuse(field, 'must be true or false')
  return value
}

function parseSeconds(
  written: Record<string, unknown>,
  field: string,
  minimum: number,
  maximum: number,
): number {
  const value = written[field]
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < minimum || value > maximum) {
    throw refuse(field, `must be a whole number of seconds from ${minimum} to ${maximum}`)
  }
  return value
}

/** X.660: the first arc is 0 to 2, the second below 40 unless the first is 2; no leading zeros. */
function isDottedOid(text: string): boolean {
  return text.length <= 128 && /^(?:[01]\.[1-3]?\d|2\.(?:0|[1-9]\d*))(?:\.(?:0|[1-9]\d*))+$/.test(text)
}

function refuse(field: string, requirement: string): PkiError {
  return new PkiError('profile-invalid', `profile: ${field} ${requirement}`)
}
