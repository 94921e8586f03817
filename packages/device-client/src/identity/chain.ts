import { type Certificate, formatName, isIssuedBy } from '@fleetroot/pki'

import { DeviceClientError } from '../error.ts'

/** Root, issuing CA and one more between them: nothing that we accept is longer. */
const MAX_ISSUERS = 3

/** What a chain may be built from. */
export interface ChainMaterial {
  /** Certificates that the server offered; they prove nothing by themselves. */
  issuers: readonly Certificate[]
  /** The pinned trust anchors. */
  trust: readonly Certificate[]
  now: Date
}

/**
 * The issuing CAs from the one that signed `leaf` up to the one that a pinned anchor signed, without the
 * anchor; empty if an anchor signed the leaf itself. Every link is checked: names and key ids, signature,
 * CA:TRUE, pathLenConstraint, keyCertSign and validity (RFC 5280 section 6.1, without policies and name
 * constraints: this proves where our own certificate is from, a server's is verified by TLS).
 *
 * Throws DeviceClientError `certificate-untrusted` or `certificate-not-valid-now`.
 */
export function buildChain(leaf: Certificate, material: ChainMaterial): Certificate[] {
  checkValidity(leaf, material.now)
  const chain = climb(leaf, material, 0)
  if (chain) return chain
  throw new DeviceClientError(
    'certificate-untrusted',
    `the certificate for ${formatName(leaf.subject)} does not chain to the pinned trust anchor ` +
      `(issuer: ${formatName(leaf.issuer)}): refused; check that server and trust anchor belong together`,
  )
}

/** Depth first; the caps on depth and on what a response may hold bound the work. */
function climb(child: Certificate, material: ChainMaterial, issuersBelow: number): Certificate[] | undefined {
  if (issuersBelow >= MAX_ISSUERS) return undefined
  const mayIssue = (issuer: Certificate) => signed(issuer, child, issuersBelow, material.now)
  if (material.trust.some(mayIssue)) return []
  for (const issuer of material.issuers.filter(mayIssue)) {
    const above = climb(issuer, material, issuersBelow + 1)
    if (above) return [issuer, ...above]
  }
  return undefined
}

function signed(issuer: Certificate, child: Certificate, issuersBelow: number, now: Date): boolean {
  const pathLength = issuer.basicConstraints?.pathLength
  if (pathLength !== undefined && pathLength < issuersBelow) return false
  return now >= issuer.notBefore && now < issuer.notAfter && isIssuedBy(child, issuer)
}

function checkValidity(certificate: Certificate, now: Date): void {
  const { notBefore, notAfter } = certificate
  if (now >= notBefore && now < notAfter) return
  throw new DeviceClientError(
    'certificate-not-valid-now',
    `the certificate is valid from ${notBefore.toISOString()} to ${notAfter.toISOString()}, ` +
      `and the clock here says ${now.toISOString()}: set the clock`,
  )
}
