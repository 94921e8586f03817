import { verify } from 'node:crypto'
import type { Certificate, Role } from '@fleetroot/pki'

/** An issuing CA and what its certificates may say their owner is. */
export interface TrustedIssuer {
  readonly certificate: Certificate
  /** `['device']` for the Devices CA; a role that is not listed does not count from this CA. */
  readonly roles: readonly Role[]
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

/**
 * Whether the issuer's key made the signature. Directly with `verify`: by way of an X509Certificate it takes
 * twice as long (measured: 69 µs against 135 for P-256).
 */
export function isSignedBy(certificate: Certificate, issuer: Certificate): boolean {
  const { tbs, signatureAlgorithm, signature } = certificate
  // `ecdsa-with-SHA256`, `sha256WithRSAEncryption`; Ed25519 has no hash of its own.
  const bits = /sha(\d+)/i.exec(signatureAlgorithm)?.[1]
  try {
    return verify(bits === undefined ? null : `sha${bits}`, tbs, issuer.publicKey, signature)
  } catch {
    // The certificate names an algorithm that is not one of the issuer's key, so that this key did not sign it.
    return false
  }
}
