import { encodeWantedAttributes, encodeWantedLinking, type Profile } from '@fleetroot/pki'
import { registrableProfiles } from '../config/profiles.ts'

/**
 * What a CSR may hold (RFC 7030, section 4.5.2); undefined: any will do, which is 204. `profile` is that of the label, or else the
 * one that the caller's certificate is registered for: what it enrolls for without a label. Of somebody who comes without a certificate
 * nobody knows which one that will be. To link the CSR to its connection is never wrong then, and what RFC 7030, section 3.5, wants to be
 * said where it may be needed.
 */
export function wantedAttributes(
  profile: string | undefined,
  profiles: ReadonlyMap<string, Profile>,
): Buffer | undefined {
  const known = profile === undefined ? undefined : profiles.get(profile)
  if (known) return encodeWantedAttributes(known)
  return registrableProfiles(profiles).some(({ requireLinking }) => requireLinking)
    ? encodeWantedLinking()
    : undefined
}
