import type { KeyObject } from 'node:crypto'
import type { BasicConstraints, Extension } from '../extension/index.ts'
import type { SignatureAlgorithm } from '../key/index.ts'
import type { Name, SubjectAltName } from '../name/index.ts'
import type { ExtendedKeyUsage, KeyUsage } from '../profile/profile.ts'

/** One attribute of a CSR as it stands: its type, and each of its values in DER. */
export interface CsrAttribute {
  readonly type: string
  readonly values: readonly Buffer[]
}

/** What the extensionRequest attribute asks for. Undefined: not asked for. */
export interface RequestedExtensions {
  readonly extensions: readonly Extension[]
  readonly basicConstraints: BasicConstraints | undefined
  readonly keyUsage: readonly KeyUsage[] | undefined
  readonly extendedKeyUsage: readonly ExtendedKeyUsage[] | undefined
  /** Empty: not asked for. */
  readonly subjectAltNames: readonly SubjectAltName[]
}

/**
 * A certificate signing request whose sender has the private key: {@link parseCsr} gives no other. Everything
 * except the key is a wish; {@link checkCsr} says whether it may be granted.
 */
export interface Csr extends RequestedExtensions {
  readonly der: Buffer
  readonly subject: Name
  /** The one CN by the rules of `soleCommonName`; undefined when there is none and when it breaks them. */
  readonly commonName: string | undefined
  readonly publicKey: KeyObject
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKeyInfo: Buffer
  /** Lower-case hex SHA-256 of `publicKeyInfo`. */
  readonly publicKeyFingerprint: string
  /** RFC 2985 section 5.4.1; EST puts the channel binding here (RFC 7030 section 3.5). */
  readonly challengePassword: string | undefined
  /** RFC 7894 section 3.3: the channel binding, where challengePassword may mean something else. */
  readonly estIdentityLinking: string | undefined
  /** Every attribute, those above included. */
  readonly attributes: readonly CsrAttribute[]
  /** The octets that are signed (CertificationRequestInfo). */
  readonly info: Buffer
  readonly signatureAlgorithm: SignatureAlgorithm
  readonly signature: Buffer
}
