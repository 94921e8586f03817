import type { CaAuthority } from '@fleetroot/device-client'
import type { Certificate } from '@fleetroot/pki'
import { type TrustedIssuer, trustedIssuers } from '@fleetroot/tls-config'

/** What the certificates of an issuing CA may be for. */
export type IssuingKind = Exclude<CaAuthority['kind'], 'root'>

/** An issuing CA by the id that the enrollment server has for it: `devices`, later `devices-2`. */
export interface IssuingAuthority extends Pick<CaAuthority, 'id' | 'state'> {
  readonly kind: IssuingKind
  readonly certificate: Certificate
}

/** The CAs that are trusted at one moment, each proven to be below a root that is. */
export interface Authorities {
  /** The one in every SPIFFE URI that these CAs write. */
  readonly trustDomain: string
  /** The roots, the current one first. */
  readonly roots: readonly Certificate[]
  /** Roots and issuing CAs as another root signed them, for peers that know only that one. */
  readonly cross: readonly Certificate[]
  /** More than one of a kind while one is being replaced. */
  readonly issuing: readonly IssuingAuthority[]
}

/** PEM, for listeners: the roots, and the issuing CAs for devices that send their leaf alone or an older chain. */
export function listenerTrust({ roots, issuing }: Authorities): string[] {
  return [...roots, ...issuing.map(({ certificate }) => certificate)].map(({ pem }) => pem)
}

/** The issuing CAs with the roles that they may give. */
export function peerIssuers({ issuing }: Authorities): TrustedIssuer[] {
  const ofKind = (kind: IssuingKind): Certificate[] =>
    issuing.filter((authority) => authority.kind === kind).map(({ certificate }) => certificate)
  return trustedIssuers({ devices: ofKind('devices'), services: ofKind('services') })
}
