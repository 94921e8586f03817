import type { Extension } from '../extension/index.ts'
import type { SignatureAlgorithm } from '../key/index.ts'
import type { Name } from '../name/index.ts'
import type { RevokedCertificates } from './entries.ts'

/**
 * Which certificates a list is about, where it is not all of its issuer's (RFC 5280 section 5.2.5). Lists by
 * reason, indirect lists and lists of attribute certificates are not made here and refused when read.
 */
export interface IssuingDistributionPoint {
  /** Where this list is published: the same URLs as in the certificates that it is about. */
  readonly urls?: readonly string[]
  /** End entities only, or CAs only; absent: both. */
  readonly onlyContains?: 'user' | 'ca'
}

/** What the extensions of a CRL say. */
export interface CrlExtensionFacts {
  readonly extensions: readonly Extension[]
  /** keyIdentifier, lower-case hex. */
  readonly authorityKeyId: string
  /** CRLNumber: a newer list of the same scope has a larger one. */
  readonly number: bigint
  /** For a delta CRL, the number of the complete list that it changes; undefined: the list is complete. */
  readonly baseNumber: bigint | undefined
  readonly issuingDistributionPoint: IssuingDistributionPoint | undefined
  /** Where delta CRLs to this list are published. */
  readonly freshestCrlUrls: readonly string[]
}

/** A certificate revocation list, version 2: facts only. `verifyCrl` says whether its issuer signed it. */
export interface Crl extends CrlExtensionFacts {
  /** Made when it is first read, if this list was made here: send `pieces`. */
  readonly der: Buffer
  /** The same octets, one piece after the other. Do not change them. */
  readonly pieces: readonly Uint8Array[]
  /** Armoured, with a newline at the end; made when it is first read. */
  readonly pem: string
  readonly issuer: Name
  /** The encoded name, for comparison octet by octet. */
  readonly issuerDer: Buffer
  readonly thisUpdate: Date
  readonly nextUpdate: Date
  readonly revoked: RevokedCertificates
  /** The octets that are signed. */
  readonly tbs: Buffer
  readonly signatureAlgorithm: SignatureAlgorithm
  readonly signature: Buffer
}
