import type { AdmittedSubject } from '../certificate/admitted-subject.ts'
import { spiffeUri } from '../identity/spiffe.ts'
import { formatIpAddress, parseIpAddress, type SubjectAltName } from '../name/index.ts'
import type { Profile } from '../profile/profile.ts'

/**
 * The first of the names that neither the profile nor the admission gives: a DNS name or an address that was
 * not admitted, a URI other than the subject's own SPIFFE URI, and every other form.
 */
export function findForeignAltName(
  names: readonly SubjectAltName[],
  profile: Profile,
  admitted: AdmittedSubject,
): SubjectAltName | undefined {
  const dns = profile.subjectAltNames.includes('dns') ? (admitted.dns ?? []) : []
  const ip = profile.subjectAltNames.includes('ip') ? (admitted.ip ?? []) : []
  const allowed = new Set<string>()
  // DNS compares without case (RFC 4343), addresses by their octets, everything else as it stands.
  for (const name of dns) allowed.add(key('dns', name.toLowerCase()))
  for (const address of ip) allowed.add(key('ip', formatIpAddress(parseIpAddress(address))))
  if (profile.role !== undefined)
    allowed.add(key('uri', spiffeUri(admitted.trustDomain, profile.role, admitted.id)))
  return names.find(
    ({ type, value }) => !allowed.has(key(type, type === 'dns' ? value.toLowerCase() : value)),
  )
}

function key(type: string, value: string): string {
  return `${type}:${value}`
}
