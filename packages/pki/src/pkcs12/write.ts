import { createHmac, createPublicKey, hash, randomBytes } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import type { Certificate } from '../certificate/certificate.ts'
import {
  explicit,
  implicit,
  integer,
  nullValue,
  octetString,
  oid,
  sequence,
  setOf,
  string,
} from '../der/index.ts'
import { PkiError } from '../error.ts'
import { encryptPbes2, encryptPkcs8 } from '../key/index.ts'
import { deriveMacKey } from './key-derivation.ts'
import { pkcsOids } from './oids.ts'
import { checkNewPassword } from './password.ts'

/** What Java 17 uses. The MAC is derived as often: the cheaper of the two is what an attacker would guess at. */
const defaultIterations = 10_000

/** What {@link writePkcs12} puts into the file. */
export interface Pkcs12Contents {
  readonly privateKey: KeyObject
  /** The leaf: its public key must be that of `privateKey`. */
  readonly certificate: Certificate
  /** The issuing CAs, nearest first. */
  readonly chain: readonly Certificate[]
  /** Printable ASCII. */
  readonly password: string
  /** The alias in Java, the name in a browser's list. */
  readonly friendlyName?: string
  /** Rounds of both key derivations; 10,000 when absent. */
  readonly iterations?: number
  /** Source of salts and initialisation vectors; node:crypto when absent. */
  readonly random?: (octets: number) => Uint8Array
}

/**
 * A PKCS#12 file that OpenSSL 3, Java 17 and curl read: key and certificates under PBES2 (PBKDF2 with
 * HMAC-SHA256, AES-256-CBC), the whole under an HMAC-SHA256 (RFC 7292, 4):
 *
 *     PFX ::= SEQUENCE { version INTEGER {v3(3)}, authSafe ContentInfo, macData MacData }
 *     AuthenticatedSafe ::= SEQUENCE OF ContentInfo     -- EncryptedData: certificates; Data: shrouded key
 *     MacData ::= SEQUENCE { mac DigestInfo, macSalt OCTET STRING, iterations INTEGER }
 *
 * @returns DER.
 * @throws PkiError `pkcs12-password-invalid`; `key-mismatch` when the key is not the certificate's.
 */
export function writePkcs12(contents: Pkcs12Contents): Buffer {
  const {
    privateKey,
    certificate,
    chain,
    password,
    iterations = defaultIterations,
    random = randomBytes,
  } = contents
  checkNewPassword(password)
  const publicKeyInfo = createPublicKey(privateKey).export({ format: 'der', type: 'spki' })
  if (!publicKeyInfo.equals(certificate.publicKeyInfo)) {
    throw new PkiError('key-mismatch', 'PKCS#12: privateKey is not the key of certificate')
  }
  const encryption = { password, hash: 'sha256', iterations, random } as const
  const attributes = leafAttributes(certificate, contents.friendlyName)

  const certificates = sequence(certBag(certificate, attributes), ...chain.map((issuer) => certBag(issuer)))
  const shrouded = encryptPkcs8(privateKey.export({ format: 'der', type: 'pkcs8' }), encryption)
  const safe = sequence(
    encryptedData(encryptPbes2(certificates, encryption)),
    data(sequence(safeBag(pkcsOids.shroudedKeyBag, shrouded, attributes))),
  )
  return sequence(integer(3), data(safe), macData(safe, password, iterations, random))
}

/** ContentInfo ::= SEQUENCE { contentType id-data, content [0] EXPLICIT OCTET STRING } */
function data(content: Uint8Array): Buffer {
  return sequence(oid(pkcsOids.data), explicit(0, octetString(content)))
}

/**
 *     EncryptedData ::= SEQUENCE { version INTEGER (0), encryptedContentInfo EncryptedContentInfo }
 *     EncryptedContentInfo ::= SEQUENCE {
 *         contentType id-data, contentEncryptionAlgorithm AlgorithmIdentifier,
 *         encryptedContent [0] IMPLICIT OCTET STRING }
 */
function encryptedData({ algorithm, encrypted }: ReturnType<typeof encryptPbes2>): Buffer {
  const info = sequence(oid(pkcsOids.data), algorithm, implicit(0, encrypted))
  return sequence(oid(pkcsOids.encryptedData), explicit(0, sequence(integer(0), info)))
}

/** SafeBag ::= SEQUENCE { bagId OID, bagValue [0] EXPLICIT ANY, bagAttributes SET OF Attribute OPTIONAL } */
function safeBag(bagId: string, value: Uint8Array, attributes: readonly Uint8Array[] = []): Buffer {
  const set = attributes.length === 0 ? [] : [setOf(...attributes)]
  return sequence(oid(bagId), explicit(0, value), ...set)
}

/** CertBag ::= SEQUENCE { certId x509Certificate, certValue [0] EXPLICIT OCTET STRING } */
function certBag(certificate: Certificate, attributes?: readonly Uint8Array[]): Buffer {
  const value = sequence(oid(pkcsOids.x509Certificate), explicit(0, octetString(certificate.der)))
  return safeBag(pkcsOids.certBag, value, attributes)
}

/** localKeyId binds the leaf to its key: without it Java takes the certificate for a trusted CA. */
function leafAttributes(certificate: Certificate, friendlyName: string | undefined): Buffer[] {
  const keyId = octetString(hash('sha1', certificate.der, 'buffer'))
  const attributes = [sequence(oid(pkcsOids.localKeyId), setOf(keyId))]
  if (friendlyName !== undefined) {
    attributes.push(sequence(oid(pkcsOids.friendlyName), setOf(string('bmp', friendlyName))))
  }
  return attributes
}

/** MacData over the content octets of authSafe (RFC 7292, 4 and 5.1). */
function macData(
  safe: Uint8Array,
  password: string,
  iterations: number,
  random: (octets: number) => Uint8Array,
): Buffer {
  const salt = random(16)
  const key = deriveMacKey('sha256', password, salt, iterations)
  const digest = createHmac('sha256', key).update(safe).digest()
  const algorithm = sequence(oid(pkcsOids.sha256), nullValue())
  return sequence(sequence(algorithm, octetString(digest)), octetString(salt), integer(iterations))
}
