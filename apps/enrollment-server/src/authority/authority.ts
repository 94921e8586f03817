import type { KeyObject } from 'node:crypto'
import { type Certificate, type Issuer, keySigner } from '@fleetroot/pki'
import { type CaId, type IssuerId, type IssuerKind, issuerKinds, kindOf } from './ca-id.ts'

/**
 * Where a CA that is trusted is in its life: `introduced` so that everybody learns to trust it, `issuing` as exactly
 * one of its kind is, `retiring` while what it issued is in use. One that is retired is trusted by nobody.
 */
export type TrustedState = 'introduced' | 'issuing' | 'retiring'

/** A CA that everybody should trust. */
export interface TrustedAuthority {
  readonly id: CaId
  readonly state: TrustedState
  /** Of a root the one that it signed itself, of an issuing CA the one by the current root. */
  readonly certificate: Certificate
  /** The same name and key, as other trusted roots certified them. */
  readonly cross: readonly Certificate[]
  readonly introducedAtMs: number
  /** When an introduced one becomes the issuing one. */
  readonly activatesAtMs?: number
}

/** An issuing CA with its key, which is an object of `node:crypto` and nowhere text. */
export interface IssuingAuthority extends TrustedAuthority {
  readonly id: IssuerId
  readonly privateKey: KeyObject
}

/** The CAs as they are at one moment. The key of a root is not among it. */
export interface Authority {
  /** Grows with every change. */
  readonly revision: number
  /** Every trusted root, the current one first. */
  readonly roots: readonly TrustedAuthority[]
  /** Every trusted issuing CA: of each kind the issuing one first, then introduced, then retiring ones. */
  readonly issuers: ReadonlyMap<string, IssuingAuthority>
  /** Fingerprints of every CA key there ever was, which no identity may have. */
  readonly keys: ReadonlySet<string>
}

/** The kind of CA that issues under a profile, or nothing for profiles that no running server issues. */
export function issuerKindOf(profile: { readonly issuer: string }): IssuerKind | undefined {
  return issuerKinds.find((kind) => kind === profile.issuer)
}

/** The root that new CAs come from. */
export function currentRoot({ roots }: Authority): TrustedAuthority {
  return the(roots.find(({ state }) => state === 'issuing'))
}

/** The one CA of a kind that signs new certificates. */
export function issuingOf(authority: Authority, kind: IssuerKind): IssuingAuthority {
  return the(issuersOf(authority, kind).find(({ state }) => state === 'issuing'))
}

/** The trusted CAs of a kind, in the order of {@link Authority}. */
export function issuersOf({ issuers }: Authority, kind: IssuerKind): IssuingAuthority[] {
  return [...issuers.values()].filter(({ id }) => kindOf(id) === kind)
}

/** Every trusted CA, roots first. */
export function trustedAuthorities({ roots, issuers }: Authority): TrustedAuthority[] {
  return [...roots, ...issuers.values()]
}

/** Every certificate of a trusted CA by another root than its own. */
export function crossCertificates(authority: Authority): Certificate[] {
  return trustedAuthorities(authority).flatMap(({ cross }) => cross)
}

/**
 * Everything that a client may need to get from the root that it knows to the CAs of today (RFC 7030, section 4.1.3):
 * roots, what they certified of each other, issuing CAs.
 */
export function transitionSet(authority: Authority): Certificate[] {
  const { roots, issuers } = authority
  const own = (all: Iterable<TrustedAuthority>) => [...all].map(({ certificate }) => certificate)
  return [...own(roots), ...crossCertificates(authority), ...own(issuers.values())]
}

/**
 * What a holder of a certificate by this CA sends after it: the CA, and the current root as certified by the other
 * trusted root, where there is one. So whoever trusts either root can verify it.
 */
export function chainOf(authority: Authority, id: string): Certificate[] {
  const issuer = authority.issuers.get(id)
  return issuer ? [issuer.certificate, ...currentRoot(authority).cross] : []
}

/** Whom to trust in TLS: the roots, and the issuing CAs for those who send nothing but their own certificate. */
export function trustAnchors({ roots, issuers }: Authority): string[] {
  return [...roots, ...issuers.values()].map(({ certificate }) => certificate.pem)
}

/**
 * An issuing CA for what is not on the way to a certificate. It signs on the thread that asks: the thread pool
 * would need a copy of what is signed, and a CRL has 5 MB where 100,000 certificates are revoked.
 */
export function signingIssuer({ certificate, privateKey }: IssuingAuthority): Issuer {
  return { certificate, signer: keySigner(privateKey, { thread: 'calling' }) }
}

function the<T>(one: T | undefined): T {
  // Opening the hierarchy has looked: see verify.ts.
  if (one === undefined) throw new Error('a hierarchy without its issuing CAs was opened')
  return one
}
