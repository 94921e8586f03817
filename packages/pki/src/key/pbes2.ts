import { createCipheriv, pbkdf2Sync, randomBytes } from 'node:crypto'
import { integer, nullValue, octetString, oid, sequence } from '../der/index.ts'

/** Object identifiers of PBES2 and what it is put together from (RFC 8018, appendices A.2, A.4 and B). */
export const pbes2Oids = {
  pbes2: '1.2.840.113549.1.5.13',
  pbkdf2: '1.2.840.113549.1.5.12',
  hmacWithSha256: '1.2.840.113549.2.9',
  hmacWithSha512: '1.2.840.113549.2.11',
  aes256Cbc: '2.16.840.1.101.3.4.1.42',
} as const

const prfOids = { sha256: pbes2Oids.hmacWithSha256, sha512: pbes2Oids.hmacWithSha512 } as const

/** How a password becomes a key. */
export interface Pbes2Options {
  readonly password: string
  /** The hash in the HMAC of PBKDF2. */
  readonly hash: keyof typeof prfOids
  /** Rounds of PBKDF2. */
  readonly iterations: number
  /** Source of salt and initialization vector; node:crypto when absent. */
  readonly random?: (octets: number) => Uint8Array
}

/**
 * Encrypts with PBES2 (RFC 8018, section 6.2): PBKDF2, AES-256-CBC.
 *
 *     PBES2-params  ::= SEQUENCE { keyDerivationFunc AlgorithmIdentifier, encryptionScheme AlgorithmIdentifier }
 *     PBKDF2-params ::= SEQUENCE { salt OCTET STRING, iterationCount INTEGER, prf AlgorithmIdentifier }
 *
 * @returns the AlgorithmIdentifier, DER, and the ciphertext
 */
export function encryptPbes2(
  plain: Uint8Array,
  { password, hash, iterations, random = randomBytes }: Pbes2Options,
): { algorithm: Buffer; encrypted: Buffer } {
  const salt = random(16)
  const iv = random(16)
  const cipher = createCipheriv('aes-256-cbc', pbkdf2Sync(password, salt, iterations, 32, hash), iv)
  const encrypted = Buffer.concat([cipher.update(plain), cipher.final()])
  const prf = sequence(oid(prfOids[hash]), nullValue())
  const derivation = sequence(oid(pbes2Oids.pbkdf2), sequence(octetString(salt), integer(iterations), prf))
  const scheme = sequence(oid(pbes2Oids.aes256Cbc), octetString(iv))
  return { algorithm: sequence(oid(pbes2Oids.pbes2), sequence(derivation, scheme)), encrypted }
}

/**
 * Encrypts a PKCS#8 key (RFC 5958, section 3).
 *
 *     EncryptedPrivateKeyInfo ::= SEQUENCE {
 *       encryptionAlgorithm  AlgorithmIdentifier,
 *       encryptedData        OCTET STRING }
 */
export function encryptPkcs8(pkcs8: Uint8Array, options: Pbes2Options): Buffer {
  const { algorithm, encrypted } = encryptPbes2(pkcs8, options)
  return sequence(algorithm, octetString(encrypted))
}
