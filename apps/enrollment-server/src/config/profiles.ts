import { defaultProfiles, parseProfile, PkiError, type Profile } from '@fleetroot/pki'
import { z } from 'zod'

/** How long certificates of each kind are good for something, in milliseconds. */
export interface Lifetimes {
  readonly deviceLifetime: number
  readonly serviceLifetime: number
  readonly operatorLifetime: number
  /** How long after its end a device certificate may still renew itself. */
  readonly renewalGrace: number
}

/** The profile of brokers, and what they alone may say. Otherwise it is that of a service. */
export const brokerProfile = 'broker'

/**
 * The section `profiles` of the configuration: the fields of a profile by its name, checked by pki's `parseProfile`.
 * Refused here as well: a role that nobody could get, because one-time tokens are for devices and services.
 */
export const profileSection = z
  .record(z.string(), z.unknown())
  .transform((section, context) => {
    const profiles: Profile[] = []
    for (const [name, fields] of Object.entries(section)) {
      try {
        profiles.push(parseSection(name, fields))
      } catch (error) {
        if (!(error instanceof PkiError)) throw error
        context.addIssue({
          code: 'custom',
          ...complaintAbout(name, fields, error.message.replace(/^profile: /, '')),
        })
      }
    }
    return profiles
  })
  .prefault({})

/** A complaint about a field that is there is made at its own place, which has a line of the file. */
function complaintAbout(name: string, fields: unknown, message: string): { path: string[]; message: string } {
  const [field = ''] = message.split(' ', 1)
  const isThere = typeof fields === 'object' && fields !== null && Object.hasOwn(fields, field)
  return isThere
    ? { path: [name, field], message: message.slice(field.length + 1) }
    : { path: [name], message }
}

function parseSection(name: string, fields: unknown): Profile {
  const isMapping = typeof fields === 'object' && fields !== null && !Array.isArray(fields)
  if (isMapping && 'name' in fields) {
    throw new PkiError('profile-invalid', 'profile: name is the key of the section, leave it out here')
  }
  if (name === brokerProfile)
    throw new PkiError('profile-invalid', 'profile: name must not be the name of a built-in profile')
  const profile = parseProfile(isMapping ? { ...fields, name } : fields)
  if (isRegistrable(profile)) return profile
  throw new PkiError('profile-invalid', 'profile: role must be device or service; the others are built in')
}

function isRegistrable({ role }: Profile): boolean {
  return role === 'device' || role === 'service'
}

/** The profiles that a device can be registered for, those that are built in first. */
export function registrableProfiles(profiles: ReadonlyMap<string, Profile>): Profile[] {
  return [...profiles.values()].filter(isRegistrable)
}

/** The profiles that this server issues under, by name: the built-in ones with the configured lifetimes, and `more`. */
export function configuredProfiles(
  lifetimes: Lifetimes,
  more: readonly Profile[],
): ReadonlyMap<string, Profile> {
  const { device, service, operator, claim } = defaultProfiles
  const seconds = (ms: number): number => Math.floor(ms / 1000)
  const builtIn: Profile[] = [
    {
      ...device,
      lifetimeSeconds: seconds(lifetimes.deviceLifetime),
      renewalGraceSeconds: seconds(lifetimes.renewalGrace),
    },
    { ...service, lifetimeSeconds: seconds(lifetimes.serviceLifetime) },
    { ...service, name: brokerProfile, lifetimeSeconds: seconds(lifetimes.serviceLifetime) },
    { ...operator, lifetimeSeconds: seconds(lifetimes.operatorLifetime) },
    claim,
  ]
  return new Map([...builtIn, ...more].map((profile) => [profile.name, profile]))
}
