import { createCipheriv, pbkdf2Sync, randomBytes } from 'node:crypto'
import { integer, nullValue, octetString, oid, sequence } from '../der/index.ts'

const pbes2 = '1.2.840.113549.1.5.13'
const pbkdf2 = '1.2.840.113549.1.5.12'
const hmacWithSha512 = '1.2.840.113549.2.11'
const aes256Cbc = '2.16.840.1.101.3.4.1.42'

/**
 * OpenSSL, and with it `KeyObject.export`, stops at 2,048 rounds. This is OWASP's figure for HMAC-SHA-512
 * (Password Storage Cheat Sheet, 2023): about 0.1 s, once per start, for whoever holds the passphrase.
 */
const iterations = 210_000

/**
 * Encrypts a PKCS#8 key with PBES2 (RFC 8018 section 6.2): PBKDF2 with HMAC-SHA-512, AES-256-CBC.
 *
 *     EncryptedPrivateKeyInfo ::= SEQUENCE {
 *       encryptionAlgorithm  AlgorithmIdentifier {{ PBES2, { PBKDF2, AES-256-CBC }}},
 *       encryptedData        OCTET STRING }
 *
 * @param random gives n random bytes for salt and initialization vector
 */
export function encryptPkcs8(
  pkcs8: Uint8Array,
  passphrase: string,
  random: (n: number) => Uint8Array = randomBytes,
): Buffer {
  const salt = random(16)
  const iv = random(16)
  const cipher = createCipheriv('aes-256-cbc', pbkdf2Sync(passphrase, salt, iterations, 32, 'sha512'), iv)
  const encrypted = Buffer.concat([cipher.update(pkcs8), cipher.final()])
  const derivation = sequence(
    oid(pbkdf2),
    sequence(octetString(salt), integer(iterations), sequence(oid(hmacWithSha512), nullValue())),
  )
  const encryption = sequence(oid(aes256Cbc), octetString(iv))
  return sequence(sequence(oid(pbes2), sequence(derivation, encryption)), octetString(encrypted))
}
