import type { KeyObject } from 'node:crypto'
import type { BasicConstraints, Extension } from '../extension/index.ts'
import type { SignatureAlgorithm } from '../key/index.ts'
import type { Name, SubjectAltName } from '../name/index.ts'
import type { ExtendedKeyUsage, KeyUsage } from '../profile/profile.ts'
import type { SerialNumber } from '../serial.ts'

/** What the extensions of a certificate say. A list is empty where the extension is absent, unless it says otherwise. */
export interface ExtensionFacts {
  readonly extensions: readonly Extension[]
  readonly basicConstraints: BasicConstraints | undefined
  /** Undefined: no such extension, which RFC 5280 reads as every usage. */
  readonly keyUsage: readonly KeyUsage[] | undefined
  /** Undefined: no such extension, which RFC 5280 reads as every purpose. */
  readonly extendedKeyUsage: readonly ExtendedKeyUsage[] | undefined
  readonly subjectAltNames: readonly SubjectAltName[]
  /** Lower-case hex. */
  readonly subjectKeyId: string | undefined
  /** keyIdentifier in lower-case hex; issuer and serial, the other form, are left in `extensions`. */
  readonly authorityKeyId: string | undefined
  /** Dotted object identifiers. */
  readonly policies: readonly string[]
  /** URLs of CRL distribution points. */
  readonly crlUrls: readonly string[]
  /** URLs of the issuer's certificate (AIA caIssuers). */
  readonly caIssuersUrls: readonly string[]
  /** URLs of OCSP responders (AIA ocsp). */
  readonly ocspUrls: readonly string[]
  /** RFC 6960, 4.2.2.2.1. */
  readonly ocspNoCheck: boolean
}

/**
 * A parsed X.509 version 3 certificate: facts only. That it parsed says nothing about who signed it. The PEM, the public key
 * and both fingerprints are getters, which a copy made with `...` does not have.
 */
export interface Certificate extends ExtensionFacts {
  readonly der: Buffer
  /** Armoured, with a newline at the end. */
  readonly pem: string
  readonly serial: SerialNumber
  readonly subject: Name
  readonly issuer: Name
  /** The encoded names, for comparison octet by octet. */
  readonly subjectDer: Buffer
  readonly issuerDer: Buffer
  readonly notBefore: Date
  readonly notAfter: Date
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKeyInfo: Buffer
  /** @throws PkiError `key-invalid` or `key-unsupported` when it is read, for a key that node:crypto cannot read. */
  readonly publicKey: KeyObject
  /** Lower-case hex SHA-256 of the SubjectPublicKeyInfo. */
  readonly publicKeyFingerprint: string
  /** Lower-case hex SHA-256 of the whole certificate. */
  readonly fingerprint256: string
  /** The octets that are signed. */
  readonly tbs: Buffer
  readonly signatureAlgorithm: SignatureAlgorithm
  readonly signature: Buffer
}
