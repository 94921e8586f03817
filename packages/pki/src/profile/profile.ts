import type { Role } from '../identity/role.ts'

/** KeyUsage bits by the names of RFC 5280 4.2.1.3, in bit order (bit 0 first). */
export const keyUsages = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const

/** One bit of the KeyUsage extension. */
export type KeyUsage = (typeof keyUsages)[number]

/** Purposes of RFC 5280 4.2.1.12 that have a name here, with their object identifiers. */
export const namedPurposes = {
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  codeSigning: '1.3.6.1.5.5.7.3.3',
  emailProtection: '1.3.6.1.5.5.7.3.4',
  timeStamping: '1.3.6.1.5.5.7.3.8',
  OCSPSigning: '1.3.6.1.5.5.7.3.9',
} as const

/** A purpose of the extendedKeyUsage extension: its RFC 5280 name, or a dotted object identifier. */
export type ExtendedKeyUsage = keyof typeof namedPurposes | (string & {})

/** The object identifier of a purpose, as dotted text. */
export function purposeOid(purpose: ExtendedKeyUsage): string {
  return Object.hasOwn(namedPurposes, purpose)
    ? namedPurposes[purpose as keyof typeof namedPurposes]
    : purpose
}

const purposeNames = new Map<string, ExtendedKeyUsage>(
  Object.entries(namedPurposes).map(([name, oid]) => [oid, name]),
)

/** The RFC 5280 name of a purpose, or its object identifier where it has none here. */
export function purposeName(oid: string): ExtendedKeyUsage {
  return purposeNames.get(oid) ?? oid
}

/** Which key signs: the root itself, the root, one of the two issuing CAs, or any of the CAs (OCSP). */
export type ProfileIssuer = 'self' | 'root' | 'devices' | 'services' | 'any'

/**
 * What a kind of certificate contains, as plain data: it can be written in a configuration file, and the
 * lint before signing checks the finished certificate against it. Whatever it does not name is not in the
 * certificate.
 */
export interface Profile {
  /** Unique name: lower-case letters, digits and `-`, at most 32 characters. Also the EST label. */
  readonly name: string
  readonly issuer: ProfileIssuer
  /** Becomes the SPIFFE URI of the certificate; a profile without a role makes certificates without identity. */
  readonly role?: Role
  /** True for the root and the issuing CAs only. */
  readonly ca: boolean
  /** pathLenConstraint of a CA (RFC 5280 4.2.1.9); absent: no limit. */
  readonly pathLength?: number
  readonly keyUsage: readonly KeyUsage[]
  /** Adds keyEncipherment where the leaf's key is RSA, for servers that still serve RSA key exchange. */
  readonly rsaKeyEncipherment: boolean
  readonly extendedKeyUsage: readonly ExtendedKeyUsage[]
  /** Name types that an admitted subject may carry besides the SPIFFE URI. */
  readonly subjectAltNames: readonly ('dns' | 'ip')[]
  /** Dotted object identifiers for certificatePolicies (RFC 5280 4.2.1.4). */
  readonly policies: readonly string[]
  /** Adds id-pkix-ocsp-nocheck (RFC 6960 4.2.2.2.1). */
  readonly ocspNoCheck: boolean
  /** From the moment of issuance to notAfter, in seconds. Shortened to the issuer's own notAfter. */
  readonly lifetimeSeconds: number
  /** How long before the moment of issuance notBefore lies, in seconds: devices without a clock. */
  readonly backdateSeconds: number
  /** How long after notAfter a certificate may still renew itself, in seconds; 0: not at all. */
  readonly renewalGraceSeconds: number
  /** A CSR must hold the channel binding of the TLS connection that it comes over (RFC 7030, section 3.5). */
  readonly requireLinking: boolean
}
