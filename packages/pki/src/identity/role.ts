/** What an identity may be here. The profile puts it into the certificate; a CSR never does. */
export type Role = 'device' | 'service' | 'operator' | 'claim'

/** Every {@link Role}, for messages and for validation. */
export const roles: readonly Role[] = ['device', 'service', 'operator', 'claim']

/**
 * Which issuing CA may give which role: every profile obeys it, and every relying party believes a role only from
 * its CA, so that neither CA's key can make the other's identities.
 */
export const rolesOfIssuer = {
  devices: ['device'],
  services: ['service', 'operator', 'claim'],
} as const satisfies Record<string, readonly Role[]>

/** True if the text is one of the four roles, in exactly this spelling. */
export function isRole(text: string): text is Role {
  return (roles as readonly string[]).includes(text)
}
