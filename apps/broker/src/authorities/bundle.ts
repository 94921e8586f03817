import type { CaBundle } from '@fleetroot/device-client'
import { type Certificate, formatName, isIssuedBy, parseCertificate } from '@fleetroot/pki'
import { BrokerError } from '../error.ts'
import type { Authorities, IssuingAuthority, IssuingKind } from './authorities.ts'

/**
 * Checks a CA bundle against the trust anchors, and parses it: the roots that are anchors, and every issuing CA,
 * which one of those has signed. A root that is no anchor counts for nothing. Throws `BrokerError`
 * `enrollment-answer-invalid`.
 */
export function verifyBundle(bundle: CaBundle, anchors: readonly Certificate[]): Authorities {
  const roots = bundle.roots
    .map((pem) => parseCertificate(pem))
    .filter((root) => anchors.some(({ der }) => der.equals(root.der)))
  if (roots.length === 0) {
    throw invalid(
      'none of its roots is trusted here; compare the trust file with the server’s public/root.crt',
    )
  }
  const issuing = [
    ...issuingOf(bundle, 'devices', roots),
    ...issuingOf(bundle, 'services', roots),
  ] satisfies IssuingAuthority[]
  const shared = issuing.find(({ kind, certificate }) =>
    issuing.some(
      (other) => other.kind !== kind && other.certificate.publicKeyInfo.equals(certificate.publicKeyInfo),
    ),
  )
  if (shared !== undefined) {
    const name = formatName(shared.certificate.subject)
    throw invalid(`${name} issues for devices and for services, so that a role proves nothing`)
  }
  const known = [...roots, ...issuing.map(({ certificate }) => certificate)]
  const cross = bundle.cross
    .map((pem) => parseCertificate(pem))
    // Only what certifies a CA of this bundle again, by a root that is trusted: the rest helps nobody.
    .filter(
      (certificate) =>
        known.some(({ publicKeyInfo }) => publicKeyInfo.equals(certificate.publicKeyInfo)) &&
        roots.some((root) => isIssuedBy(certificate, root)),
    )
  return { trustDomain: bundle.trustDomain, roots, cross, issuing }
}

function issuingOf(
  { issuers, authorities }: CaBundle,
  kind: IssuingKind,
  roots: readonly Certificate[],
): IssuingAuthority[] {
  return issuers[kind].map((pem) => {
    const certificate = parseCertificate(pem)
    const isRoot = certificate.subjectDer.equals(certificate.issuerDer)
    const isBelow = roots.some((root) => isIssuedBy(certificate, root))
    if (isRoot || !isBelow || certificate.basicConstraints?.ca !== true) {
      throw invalid(`${formatName(certificate.subject)} is not an issuing CA below a trusted root`)
    }
    const entry = authorities.find(
      (authority) => authority.kind === kind && authority.subjectKeyId === certificate.subjectKeyId,
    )
    if (entry === undefined) throw invalid(`${formatName(certificate.subject)} is not among its authorities`)
    return { id: entry.id, state: entry.state, kind, certificate }
  })
}

function invalid(problem: string): BrokerError {
  return new BrokerError(
    'enrollment-answer-invalid',
    `the CA bundle of the enrollment server is not usable: ${problem}`,
  )
}
