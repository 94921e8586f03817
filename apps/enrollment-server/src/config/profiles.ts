import { defaultProfiles, type Profile } from '@fleetroot/pki'

/** How long certificates of each kind are valid, in milliseconds. */
export interface Lifetimes {
  readonly deviceLifetime: number
  readonly serviceLifetime: number
  readonly operatorLifetime: number
}

/** The profiles that this server issues under, by name, with the configured lifetimes. */
export function configuredProfiles(lifetimes: Lifetimes): ReadonlyMap<string, Profile> {
  const { device, service, operator } = defaultProfiles
  const seconds = (ms: number): number => Math.floor(ms / 1000)
  const profiles: Profile[] = [
    { ...device, lifetimeSeconds: seconds(lifetimes.deviceLifetime) },
    { ...service, lifetimeSeconds: seconds(lifetimes.serviceLifetime) },
    { ...operator, lifetimeSeconds: seconds(lifetimes.operatorLifetime) },
  ]
  return new Map(profiles.map((profile) => [profile.name, profile]))
}
