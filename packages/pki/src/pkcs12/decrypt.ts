import { createDecipheriv, pbkdf2Sync } from 'node:crypto'
import { PkiError } from '../error.ts'
import { pbes2Oids } from '../key/index.ts'
import { elements, invalid, objectIdentifier, octets, smallInteger } from './ber.ts'
import { type Asn1Node, forge } from './forge.ts'
import { pbes2Ciphers, prfHashes } from './oids.ts'

/** Beyond this a file is an attempt to keep us busy; OpenSSL and Java write 2,048 to 10,000. */
const maximumIterations = 1_000_000
/** The legacy derivation runs in JavaScript. */
const maximumLegacyIterations = 100_000

/** Refuses a count of rounds that would take minutes. */
export function checkIterations(iterations: number, maximum = maximumIterations): number {
  if (iterations < 1 || iterations > maximum) throw invalid(`iterations must be 1 to ${maximum}`)
  return iterations
}

/**
 * Decrypts what an AlgorithmIdentifier says: PBES2 with AES or Triple DES by node:crypto, the algorithms of
 * RFC 7292, appendix C (PBE with SHA-1 and Triple DES or RC2) by node-forge, as OpenSSL 3 has them in its
 * legacy provider only.
 *
 * @throws PkiError `pkcs12-password-wrong`, `pkcs12-unsupported` or `pkcs12-invalid`.
 */
export function decrypt(algorithm: Asn1Node | undefined, encrypted: Buffer, password: string): Buffer {
  const [oidNode, parameters] = elements(algorithm, 'encryption algorithm')
  const oid = objectIdentifier(oidNode, 'encryption algorithm')
  if (parameters === undefined) throw invalid('encryption algorithm has no parameters')
  return oid === pbes2Oids.pbes2
    ? decryptPbes2(parameters, encrypted, password)
    : decryptLegacy(oid, parameters, encrypted, password)
}

function decryptPbes2(parameters: Asn1Node, encrypted: Buffer, password: string): Buffer {
  const [derivation, scheme] = elements(parameters, 'PBES2-params')
  const [kdf, kdfParameters] = elements(derivation, 'keyDerivationFunc')
  if (objectIdentifier(kdf, 'keyDerivationFunc') !== pbes2Oids.pbkdf2) {
    throw unsupported('key derivation is not PBKDF2')
  }
  const [salt, rounds, ...optional] = elements(kdfParameters, 'PBKDF2-params')
  // keyLength INTEGER OPTIONAL, prf AlgorithmIdentifier DEFAULT hmacWithSHA1
  const prf = optional.find((node) => node.type === 16)
  const prfOid = prf === undefined ? '1.2.840.113549.2.7' : objectIdentifier(elements(prf, 'prf')[0], 'prf')
  const digest = prfHashes[prfOid]
  const [cipherOid, iv] = elements(scheme, 'encryptionScheme')
  const cipher = pbes2Ciphers[objectIdentifier(cipherOid, 'encryptionScheme')]
  if (digest === undefined || cipher === undefined) throw unsupported('PBES2 with an unknown PRF or cipher')
  const iterations = checkIterations(smallInteger(rounds, 'iterationCount'))
  const key = pbkdf2Sync(password, octets(salt, 'salt'), iterations, cipher.keyLength, digest)
  try {
    const decipher = createDecipheriv(cipher.name, key, octets(iv, 'iv'))
    return Buffer.concat([decipher.update(encrypted), decipher.final()])
  } catch (error) {
    throw wrongPassword(error)
  }
}

function decryptLegacy(oid: string, parameters: Asn1Node, encrypted: Buffer, password: string): Buffer {
  // pkcs-12PbeParams ::= SEQUENCE { salt OCTET STRING, iterations INTEGER }
  const [, rounds] = elements(parameters, 'pkcs-12PbeParams')
  checkIterations(smallInteger(rounds, 'iterations'), maximumLegacyIterations)
  let cipher
  try {
    cipher = forge().pki.pbe.getCipher(oid, parameters, password)
  } catch (error) {
    throw new PkiError('pkcs12-unsupported', `PKCS#12: encryption algorithm ${oid} is not supported`, {
      cause: error,
    })
  }
  cipher.update(forge().util.createBuffer(encrypted.toString('latin1')))
  if (!cipher.finish()) throw wrongPassword(undefined)
  return Buffer.from(cipher.output.getBytes(), 'latin1')
}

function unsupported(what: string): PkiError {
  return new PkiError('pkcs12-unsupported', `PKCS#12: ${what}`)
}

function wrongPassword(cause: unknown): PkiError {
  return new PkiError('pkcs12-password-wrong', 'PKCS#12: the password does not open the file', { cause })
}
