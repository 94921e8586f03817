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

/**
 * A path: the issuers from the one of the certificate up to the anchor, which is the last one. Or why there is none; `isNamed`
 * where names at least lead to an anchor.
 */
export type PathValidation =
  | { readonly ok: true; readonly issuers: readonly Certificate[] }
  | { readonly ok: false; readonly detail: string; readonly isNamed: boolean }

/** Intermediates in a path, and signatures that are verified to find one: what a stranger sends must not cost more. */
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
  readonly leaf: Certificate
  readonly budget: { signatures: number }
  /** Signatures that were verified: by issuer, then by what it is said to have signed. */
  readonly verdicts: Map<Certificate, Map<Certificate, boolean>>
  /** Why the last attempt failed. */
  why: string
  isNamed: boolean
}

/**
 * Whether a certificate of a CA that is not ours leads to a trust anchor (RFC 5280, section 6.1): names and key identifiers,
 * signatures by keys that are not weak, validity of each (the anchor's too), CA:TRUE, pathLenConstraint, keyCertSign, and no critical extension that is not
 * understood. Name constraints are not: a CA that has them is refused, critical or not. Policies are not asked for.
 * The path is found by names, and verified from the anchor down: only the key of a CA that something genuine vouches for verifies
 * anything, so that a made-up CA does not choose the key, and with it the price. At most 12 signatures, or `budget`.
 * Not looked at, and for the caller: what the certificate itself is for, and revocation. Throws nothing.
 */
export function validatePath(leaf: Certificate, material: PathMaterial): PathValidation {
  const { anchors, now } = material
  const search: Search = {
    ...material,
    leaf,
    // Where the anchors come along, they prove nothing more.
    intermediates: leadingTo(leaf, without(material.intermediates, anchors)),
    budget: material.budget ?? { signatures: mostSignatures },
    verdicts: new Map(),
    why: `it leads to no trusted CA (issuer: ${formatName(leaf.issuer)})`,
    isNamed: false,
  }
  const flaw = findFlaw(leaf, now)
  if (flaw !== undefined) return { ok: false, detail: `it ${flaw}`, isNamed: false }
  for (const anchor of anchors) {
    const issuers = descend([anchor], anchor.basicConstraints?.pathLength ?? mostIntermediates, search)
    if (issuers) return { ok: true, issuers }
  }
  return { ok: false, detail: search.why, isNamed: search.isNamed }
}

/** Those of `intermediates` from which names lead to the leaf, the nearest first. */
function leadingTo(leaf: Certificate, intermediates: readonly Certificate[]): Certificate[] {
  const found = [leaf]
  // Grows while it is walked.
  for (const child of found) {
    found.push(...without(intermediates, found).filter((one) => isNamedBy(child, one)))
  }
  return found.slice(1)
}

function without(some: readonly Certificate[], others: readonly Certificate[]): Certificate[] {
  return some.filter((one) => !others.some(({ der }) => der.equals(one.der)))
}

/**
 * From the first of `issuers`, which is genuine, down to the leaf, depth first; the last of `issuers` is the anchor.
 * `room` is how many intermediates may be below it, those that a CA issued to itself not counted (RFC 5280, 4.2.1.9).
 */
function descend(
  issuers: readonly [Certificate, ...Certificate[]],
  room: number,
  search: Search,
): readonly Certificate[] | undefined {
  const [issuer, above] = issuers
  const { leaf, intermediates } = search
  const children = [leaf, ...intermediates].filter(
    (child) => !issuers.includes(child) && isNamedBy(child, issuer),
  )
  if (children.length === 0) return undefined
  search.isNamed = true
  const flaw = findFlaw(issuer, search.now) ?? findIssuerFlaw(issuer)
  if (flaw !== undefined) {
    search.why = `its CA ${formatName(issuer.subject)} ${flaw}`
    return undefined
  }
  if (above && (room < 0 || issuers.length > mostIntermediates + 1)) {
    search.why = `its CA ${formatName(above.subject)} may not have so many CAs below it`
    return undefined
  }
  for (const child of children) {
    if (!isGenuine(child, issuer, search)) continue
    if (child === leaf) return issuers
    const left = child.subjectDer.equals(child.issuerDer) ? room : room - 1
    const path = descend(
      [child, ...issuers],
      Math.min(left, child.basicConstraints?.pathLength ?? left),
      search,
    )
    if (path) return path
  }
  return undefined
}

/** Whether `issuer`, which is genuine, has signed `child`. */
function isGenuine(child: Certificate, issuer: Certificate, search: Search): boolean {
  const { budget, verdicts } = search
  const known = verdicts.get(issuer) ?? new Map<Certificate, boolean>()
  verdicts.set(issuer, known)
  const before = known.get(child)
  if (before !== undefined) return before
  const which = child === search.leaf ? 'it' : `its CA ${formatName(child.subject)}`
  if (budget.signatures < 1) {
    search.why = `too many signatures would have to be verified to say whether ${formatName(issuer.subject)} has signed ${which}`
    return false
  }
  budget.signatures -= 1
  const isSigned = isIssuedBy(child, issuer)
  known.set(child, isSigned)
  if (!isSigned) search.why = `${which} was not signed by ${formatName(issuer.subject)}`
  return isSigned
}

function findIssuerFlaw({ basicConstraints, keyUsage, extensions }: Certificate): string | undefined {
  if (basicConstraints?.ca !== true) return 'is no CA'
  if (keyUsage && !keyUsage.includes('keyCertSign')) return 'may not sign certificates (keyUsage)'
  if (extensions.some(({ oid }) => oid === extensionOids.nameConstraints)) {
    return 'has name constraints, which are not understood here'
  }
  return undefined
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
