import type { KeyObject } from 'node:crypto'
import { type Certificate, type Issuer, keySigner } from '@fleetroot/pki'

/** The name of an issuing CA, as profiles name it. */
export type IssuerName = 'devices' | 'services'

/** An issuing CA with its key, which is an object of `node:crypto` and nowhere text. */
export interface IssuingAuthority {
  readonly certificate: Certificate
  readonly privateKey: KeyObject
}

/** What a running server issues with. The key of the root is not among it. */
export interface Authority {
  readonly root: Certificate
  readonly issuers: Readonly<Record<IssuerName, IssuingAuthority>>
  /** Fingerprints of every CA key, which no identity may have. */
  readonly keys: ReadonlySet<string>
}

/** The CA that issues under a profile, or nothing for profiles that no running server issues (root, issuing). */
export function issuerNameOf(profile: { readonly issuer: string }): IssuerName | undefined {
  return profile.issuer === 'devices' || profile.issuer === 'services' ? profile.issuer : undefined
}

/**
 * The issuing CAs for what is not on the way to a certificate. They sign on the thread that asks: the thread pool
 * would need a copy of what is signed, and a CRL has 5 MB where 100,000 certificates are revoked.
 */
export function signingIssuers({ issuers }: Authority): Readonly<Record<IssuerName, Issuer>> {
  const issuerOf = ({ certificate, privateKey }: IssuingAuthority): Issuer => ({
    certificate,
    signer: keySigner(privateKey, { thread: 'calling' }),
  })
  return { devices: issuerOf(issuers.devices), services: issuerOf(issuers.services) }
}
