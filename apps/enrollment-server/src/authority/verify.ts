import { isIssuedBy, type Certificate } from '@fleetroot/pki'
import { AuthorityError } from './authority-error.ts'
import type { TrustedState } from './authority.ts'
import { caKinds, kindOf } from './ca-id.ts'
import type { Hierarchy, Member } from './hierarchy-record.ts'

/** A CA that is trusted, and so has a certificate. */
export type TrustedMember = Member & { readonly state: TrustedState; readonly certificate: Certificate }

/** True for a CA that is in the bundle. */
export function isTrusted(member: Member): member is TrustedMember {
  return member.state !== 'requested' && member.state !== 'retired' && member.certificate !== undefined
}

/**
 * Proves that the trusted CAs belong together: one of each kind is issuing; roots signed themselves, at most two of
 * them; issuing CAs were signed by the current root and may have no CA below; whatever is certified twice has one name and
 * one key, and the other signature is by a trusted root; no id and no key is there twice. Looked at before a
 * hierarchy is written and after it is read.
 *
 * @throws {AuthorityError} `mismatch`, naming the CA
 */
export function verifyHierarchy({ members }: Hierarchy): void {
  const trusted = members.filter(isTrusted)
  for (const kind of caKinds) {
    const issuing = trusted.filter(({ id, state }) => kindOf(id) === kind && state === 'issuing')
    if (issuing.length !== 1) throw mismatch(kind, `${issuing.length} CAs are issuing, it must be one`)
  }
  const roots = trusted.filter(({ id }) => kindOf(id) === 'root')
  if (roots.length > 2) throw mismatch('root', 'more than two roots are trusted')
  const current = roots.find(({ state }) => state === 'issuing')?.certificate
  for (const member of trusted) {
    const { id, certificate, publicKey } = member
    const issuer = kindOf(id) === 'root' ? certificate : current
    if (!issuer || !isIssuedBy(certificate, issuer)) throw mismatch(id, 'it is not signed by the root')
    if (certificate.publicKeyFingerprint !== publicKey) throw mismatch(id, 'its certificate has another key')
    const { basicConstraints } = certificate
    if (basicConstraints?.ca !== true) throw mismatch(id, 'its certificate is not that of a CA')
    if (kindOf(id) !== 'root' && basicConstraints.pathLength !== 0) {
      throw mismatch(id, 'its pathLenConstraint must be 0')
    }
    verifyCross(member, roots)
  }
  for (const [one, count] of tally(members.flatMap(({ id, publicKey }) => [id, publicKey]))) {
    if (count > 1) throw mismatch(one, 'it is there twice')
  }
}

function verifyCross({ id, certificate, cross }: TrustedMember, roots: readonly TrustedMember[]): void {
  for (const other of cross) {
    const isSame =
      other.subjectDer.equals(certificate.subjectDer) &&
      other.publicKeyInfo.equals(certificate.publicKeyInfo) &&
      other.basicConstraints?.pathLength === certificate.basicConstraints?.pathLength
    if (!isSame) throw mismatch(id, 'a cross certificate is that of another CA')
    if (!roots.some((root) => root.id !== id && isIssuedBy(other, root.certificate))) {
      throw mismatch(id, 'a cross certificate is signed by no root that is trusted')
    }
  }
}

function tally(values: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return counts
}

function mismatch(what: string, problem: string): AuthorityError {
  return new AuthorityError(
    'mismatch',
    `ca/authorities.json: ${what}: ${problem}; restore ca/ from a backup, all of it`,
  )
}
