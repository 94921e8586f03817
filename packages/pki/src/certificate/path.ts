import { extensionName, extensionOids } from '../extension/index.ts'
import { findKeyWeakness } from '../key/index.ts'
import { formatName } from '../name/index.ts'
import type { Certificate } from './certificate.ts'
import { isIssuedBy, isNamedBy } from './issued-by.ts'

/** What a path is looked for in. */
export interface PathMaterial {
  /** What came with the certificate; proves nothing by itself. */
  readonly intermediates: readonly Certificate[]
  /** The CAs that are trusted, roots or not. */
  readonly anchors: readonly Certificate[]
  readonly now: Date
  /** Signatures that may still be verified, counted down; shared, where one certificate is held against several sets of anchors. */
  readonly budget?: { signatures: number }
}

/** A path: the issuers from the one of the certificate up to the anchor, which is the last one. Or why there is none. */
export type PathValidation =
  | { readonly ok: true; readonly issuers: readonly Certificate[] }
  | { readonly ok: false; readonly detail: string }

/** Intermediates in a path, and signatures that are verified to find one: what an attacker sends must not cost more. */
const mostIntermediates = 6
const mostSignatures = 12

/** Critical extensions that are looked at here or, of a leaf, by whoever relies on it. */
const understood: readonly string[] = [
  extensionOids.basicConstraints,
  extensionOids.keyUsage,
  extensionOids.extendedKeyUsage,
  extensionOids.subjectAltName,
  extensionOids.certificatePolicies,
]

interface Search extends PathMaterial {
  readonly budget: { signatures: number }
  /** Why the last attempt that went furthest failed. */
  why: string
}

/**
 * Whether a certificate of a CA that is not ours leads to a trust anchor (RFC 5280, section 6.1): names and key identifiers,
 * signatures by keys that are not weak, validity of each (the anchor's too), CA:TRUE, pathLenConstraint, keyCertSign, and no critical extension that is not
 * understood. Name constraints are not: a CA that has them is refused, critical or not. Policies are not asked for.
 * Not looked at, and for the caller: what the certificate itself is for, and revocation. Throws nothing.
 */
export function validatePath(leaf: Certificate, material: PathMaterial): PathValidation {
  const search: Search = {
    ...material,
    budget: material.budget ?? { signatures: mostSignatures },
    why: `it leads to no trusted CA (issuer: ${formatName(leaf.issuer)})`,
  }
  const flaw = findFlaw(leaf, material.now)
  if (flaw !== undefined) return { ok: false, detail: `it ${flaw}` }
  const issuers = climb(leaf, search, [])
  return issuers ? { ok: true, issuers } : { ok: false, detail: search.why }
}

/** Depth first, anchors before intermediates. `below` are the intermediates between the leaf and `child`, `child` included. */
function climb(child: Certificate, search: Search, below: readonly Certificate[]): Certificate[] | undefined {
  const anchor = search.anchors.find((candidate) => mayIssue(candidate, child, search, below))
  if (anchor) return [anchor]
  if (below.length >= mostIntermediates) return undefined
  for (const issuer of search.intermediates) {
    if (below.some(({ der }) => der.equals(issuer.der)) || !mayIssue(issuer, child, search, below)) continue
    const above = climb(issuer, search, [...below, issuer])
    if (above) return [issuer, ...above]
  }
  return undefined
}

function mayIssue(
  issuer: Certificate,
  child: Certificate,
  search: Search,
  below: readonly Certificate[],
): boolean {
  if (!isNamedBy(child, issuer)) return false
  const flaw = findFlaw(issuer, search.now) ?? findIssuerFlaw(issuer, below)
  if (flaw !== undefined) {
    search.why = `its CA ${formatName(issuer.subject)} ${flaw}`
    return false
  }
  search.budget.signatures -= 1
  if (search.budget.signatures >= 0 && isIssuedBy(child, issuer)) return true
  search.why = `it, or a CA above it, was not signed by ${formatName(issuer.subject)}`
  return false
}

function findIssuerFlaw(
  { basicConstraints, keyUsage, extensions }: Certificate,
  below: readonly Certificate[],
): string | undefined {
  if (basicConstraints?.ca !== true) return 'is no CA'
  if (keyUsage && !keyUsage.includes('keyCertSign')) return 'may not sign certificates (keyUsage)'
  if (extensions.some(({ oid }) => oid === extensionOids.nameConstraints)) {
    return 'has name constraints, which are not understood here'
  }
  // RFC 5280, 4.2.1.9: certificates that a CA issued to itself do not count.
  const counted = below.filter(({ subjectDer, issuerDer }) => !subjectDer.equals(issuerDer)).length
  const { pathLength } = basicConstraints
  return pathLength !== undefined && pathLength < counted ? 'may not have so many CAs below it' : undefined
}

function findFlaw(certificate: Certificate, now: Date): string | undefined {
  const { notBefore, notAfter, extensions, issuer } = certificate
  if (now < notBefore) return `is not valid before ${notBefore.toISOString()}`
  if (now > notAfter) return `has expired at ${notAfter.toISOString()}`
  if (issuer.length === 0) return 'names no issuer'
  const weakness = findWeakness(certificate)
  if (weakness !== undefined) return `has a key that proves nothing: ${weakness}`
  const stranger = extensions.find(({ oid, critical }) => critical && !understood.includes(oid))
  return (
    stranger &&
    `has the critical extension ${extensionName(stranger.oid) ?? stranger.oid}, which is not understood here`
  )
}

function findWeakness(certificate: Certificate): string | undefined {
  try {
    return findKeyWeakness(certificate.publicKey)?.detail
  } catch {
    return 'it cannot be read'
  }
}
