import type { Profile } from '@fleetroot/pki'
import { registrableProfiles } from '../config/profiles.ts'
import { either } from './complaint.ts'

/** What is wrong with the names of a device: those that no certificate of its profile may carry. Found here, not at the first enrollment. */
export function nameComplaints(
  device: { readonly profile: string; readonly dns: readonly string[]; readonly ip: readonly string[] },
  profiles: ReadonlyMap<string, Profile>,
): { field: 'dns' | 'ip'; message: string }[] {
  const carries = (profile: Profile | undefined, kind: 'dns' | 'ip') =>
    profile?.subjectAltNames.includes(kind)
  return (['dns', 'ip'] as const)
    .filter((kind) => device[kind].length > 0 && !carries(profiles.get(device.profile), kind))
    .map((field) => {
      const others = registrableProfiles(profiles).filter((profile) => carries(profile, field))
      const fix = either(others.map(({ name }) => name))
      return {
        field,
        message: `certificates of the profile ${device.profile} carry none; use the profile ${fix}`,
      }
    })
}
