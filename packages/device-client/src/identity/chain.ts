import { type Certificate, formatName, isIssuedBy } from '@fleetroot/pki'

import { DeviceClientError } from '../error.ts'

/** Issuing CA, cross certificate and root: nothing that we accept is longer. */
const MAX_ISSUERS = 3

/** What a chain may be built from. */
export interface ChainMaterial {
  /** Certificates that the server offered; they prove nothing by themselves. */
  issuers: readonly Certificate[]
  /** The trust anchors, the preferred one first. */
  trust: readonly Certificate[]
  now: Date
}

/**
 * The issuing CAs from the one that signed `leaf` up to the one that an anchor signed, without the anchor; empty
 * if an anchor signed the leaf itself. Of several chains, as there are while a root is replaced, it is the
 * shortest, and among those one to the first anchor. Every link is checked: names and key ids, signature,
 * CA:TRUE, pathLenConstraint, keyCertSign and validity (RFC 5280 section 6.1, without policies and name
 * constraints: this proves where our own certificate is from, a server's is verified by TLS).
 *
 * Throws DeviceClientError `certificate-untrusted` or `certificate-not-valid-now`.
 */
export function buildChain(leaf: Certificate, material: ChainMaterial): Certificate[] {
  checkValidity(leaf, material.now)
  for (let mostIssuers = 1; mostIssuers <= MAX_ISSUERS; mostIssuers += 1) {
    for (const anchor of material.trust) {
      const chain = climb(leaf, { ...material, trust: [anchor] }, 0, mostIssuers)
      if (chain) return chain
    }
  }
  throw new DeviceClientError(
    'certificate-untrusted',
    `the certificate for ${formatName(leaf.subject)} does not chain to a trust anchor that is held here ` +
      `(issuer: ${formatName(leaf.issuer)}): refused; check that server and trust anchor belong together`,
  )
}

/** Depth first; the caps on depth and on what a response may hold bound the work. */
function climb(
  child: Certificate,
  material: ChainMaterial,
  issuersBelow: number,
  mostIssuers: number,
): Certificate[] | undefined {
  if (issuersBelow >= mostIssuers) return undefined
  const mayIssue = (issuer: Certificate) => signed(issuer, child, issuersBelow, material.now)
  if (material.trust.some(mayIssue)) return []
  for (const issuer of material.issuers.filter(mayIssue)) {
    const above = climb(issuer, material, issuersBelow + 1, mostIssuers)
    if (above) return [issuer, ...above]
  }
  return undefined
}

/**
 * What a server shows: `leaf`, its issuing CAs as `buildChain` gives them, and the certificates with which other
 * anchors vouch for the one at the end, so that a peer that holds only one of them can follow. `material.issuers`
 * holds those cross certificates (RFC 4210 section 4.4). Throws as `buildChain`.
 */
export function servingChain(leaf: Certificate, material: ChainMaterial): Certificate[] {
  const { issuers, trust, now } = material
  const chain = buildChain(leaf, material)
  const last = chain.at(-1) ?? leaf
  const end = trust.find((anchor) => signed(anchor, last, chain.length, now))
  const others = trust.filter((anchor) => anchor !== end)
  const crosses = issuers.filter(
    (cross) =>
      end !== undefined &&
      cross.subjectDer.equals(end.subjectDer) &&
      cross.publicKeyInfo.equals(end.publicKeyInfo) &&
      !cross.der.equals(end.der) &&
      others.some((other) => signed(other, cross, chain.length + 1, now)),
  )
  return [...chain, ...crosses]
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
