import { isDeviceId } from '../device-id.ts'
import type { DeviceId } from '../device-id.ts'
import { PkiError } from '../error.ts'
import { isRole } from './role.ts'
import type { Role } from './role.ts'

/** What a SPIFFE URI of this system says. */
export interface SpiffeIdentity {
  readonly trustDomain: string
  readonly role: Role
  readonly id: DeviceId
}

const scheme = 'spiffe://'

/** SPIFFE-ID, section 2.1: lower-case letters, digits, `.`, `-`, `_`; at most 255 octets. */
const trustDomainGrammar = /^[a-z0-9._-]{1,255}$/

/** True if the text may stand as the trust domain of a SPIFFE URI, for example `fleet.example`. */
export function isTrustDomain(text: string): boolean {
  return trustDomainGrammar.test(text)
}

/**
 * The URI that carries role and id: `spiffe://<trust-domain>/<role>/<id>`. Every DeviceId is a valid path
 * segment of a SPIFFE ID (section 2.2), so that nothing is escaped and equal identities are equal texts.
 *
 * @throws PkiError `trust-domain-invalid` or `device-id-invalid`.
 */
export function spiffeUri(trustDomain: string, role: Role, id: DeviceId): string {
  if (!isTrustDomain(trustDomain)) {
    throw new PkiError(
      'trust-domain-invalid',
      'trust domain must be 1 to 255 lower-case letters, digits, ".", "-" or "_", for example fleet.example',
    )
  }
  if (!isDeviceId(id)) {
    throw new PkiError('device-id-invalid', 'the id of a SPIFFE URI must be a device id')
  }
  return `${scheme}${trustDomain}/${role}/${id}`
}

/**
 * Reads a URI that {@link spiffeUri} made; undefined for every other text. Nothing is normalised: another
 * case, a port, a query or an escaped character is another name.
 */
export function parseSpiffeUri(uri: string): SpiffeIdentity | undefined {
  if (!uri.startsWith(scheme)) return undefined
  const [trustDomain, role, id, ...rest] = uri.slice(scheme.length).split('/')
  if (trustDomain === undefined || role === undefined || id === undefined || rest.length > 0) return undefined
  if (!isTrustDomain(trustDomain) || !isRole(role) || !isDeviceId(id)) return undefined
  return { trustDomain, role, id }
}
