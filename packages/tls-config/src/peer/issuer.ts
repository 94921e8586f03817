import { type Certificate, formatName, type Role, rolesOfIssuer } from '@fleetroot/pki'

/** An issuing CA and what its certificates may say their owner is. */
export interface TrustedIssuer {
  readonly certificate: Certificate
  /** `['device']` for the Devices CA; a role that is not listed does not count from this CA. */
  readonly roles: readonly Role[]
}

/** The issuing CAs of this system, each with the roles that it may give; several of a kind while one is replaced. */
export function trustedIssuers(issuers: {
  readonly devices: readonly Certificate[]
  readonly services: readonly Certificate[]
}): TrustedIssuer[] {
  const { devices, services } = issuers
  return [
    ...devices.map((certificate) => ({ certificate, roles: rolesOfIssuer.devices })),
    ...services.map((certificate) => ({ certificate, roles: rolesOfIssuer.services })),
  ]
}

/** The trusted CA that a certificate names as its issuer, by name and key identifier (RFC 5280 section 4.1.2.4
 * and 4.2.1.1). A name alone is not enough: two generations of a CA share it. */
export function findIssuer(
  certificate: Certificate,
  issuers: readonly TrustedIssuer[],
): TrustedIssuer | undefined {
  return issuers.find(
    ({ certificate: issuer }) =>
      issuer.subjectKeyId !== undefined &&
      issuer.subjectKeyId === certificate.authorityKeyId &&
      issuer.subjectDer.equals(certificate.issuerDer),
  )
}

const names = new WeakMap<TrustedIssuer, string>()

/** Its name for people. Kept: to put a name into words costs as much as to judge a certificate by it. */
export function issuerName(issuer: TrustedIssuer): string {
  let name = names.get(issuer)
  if (name === undefined) names.set(issuer, (name = formatName(issuer.certificate.subject)))
  return name
}
