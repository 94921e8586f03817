import { type Certificate, parseCertificate } from '@fleetroot/pki'
import type { Authorities, IssuingAuthority } from '../authorities/authorities.ts'

/** `Authorities` as plain values, which may be sent to another process. */
export interface PlainAuthorities {
  readonly trustDomain: string
  /** PEM, each. */
  readonly roots: readonly string[]
  readonly cross: readonly string[]
  readonly issuing: readonly (Pick<IssuingAuthority, 'id' | 'state' | 'kind'> & { readonly pem: string })[]
}

export function toPlain({ trustDomain, roots, cross, issuing }: Authorities): PlainAuthorities {
  return {
    trustDomain,
    roots: roots.map(({ pem }) => pem),
    cross: cross.map(({ pem }) => pem),
    issuing: issuing.map(({ id, state, kind, certificate }) => ({ id, state, kind, pem: certificate.pem })),
  }
}

/** What `toPlain` was made of. */
export function fromPlain({ trustDomain, roots, cross, issuing }: PlainAuthorities): Authorities {
  const parsed = (pem: string): Certificate => parseCertificate(pem)
  return {
    trustDomain,
    roots: roots.map(parsed),
    cross: cross.map(parsed),
    issuing: issuing.map(({ id, state, kind, pem }) => ({ id, state, kind, certificate: parsed(pem) })),
  }
}
