import type { Certificate, Issuer } from '@fleetroot/pki'

/** The name of an issuing CA, as profiles name it. */
export type IssuerName = 'devices' | 'services'

/** What a running server signs with. The key of the root is not among it. */
export interface Authority {
  readonly root: Certificate
  readonly issuers: Readonly<Record<IssuerName, Issuer>>
  /** Fingerprints of every CA key, which no identity may have. */
  readonly keys: ReadonlySet<string>
}

/** The CA that issues under a profile, or nothing for profiles that no running server issues (root, issuing). */
export function issuerNameOf(profile: { readonly issuer: string }): IssuerName | undefined {
  return profile.issuer === 'devices' || profile.issuer === 'services' ? profile.issuer : undefined
}
