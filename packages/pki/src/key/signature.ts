import { type KeyObject, verify } from 'node:crypto'
import { type DerReader, nullValue, oid, rememberOids, sequence, Tag } from '../der/index.ts'
import { PkiError } from '../error.ts'

/** The signature algorithms of CSRs and certificates, by the names of their standards. */
export type SignatureAlgorithm =
  | 'ecdsa-with-SHA256'
  | 'ecdsa-with-SHA384'
  | 'ecdsa-with-SHA512'
  | 'Ed25519'
  | 'sha256WithRSAEncryption'
  | 'sha384WithRSAEncryption'
  | 'sha512WithRSAEncryption'

/**
 * Where a signature is made or verified. `pool`: Node's threadpool, so that the caller's thread stays free.
 * `calling`: the caller's own thread, for a thread that does nothing else: handing one P-256 operation to the
 * pool and back costs 20 to 40 µs of CPU beside the 25 (sign) and 65 (verify) of the operation itself.
 */
export type CryptoThread = 'pool' | 'calling'

interface Facts {
  oid: string
  keyType: 'ec' | 'ed25519' | 'rsa'
  hash: 'sha256' | 'sha384' | 'sha512' | null
}

// RFC 5758 (ECDSA), RFC 8410 (Ed25519), RFC 4055 (RSA). SHA-1 and MD5 are not here, and that is the refusal.
const algorithms: Readonly<Record<SignatureAlgorithm, Facts>> = {
  'ecdsa-with-SHA256': { oid: '1.2.840.10045.4.3.2', keyType: 'ec', hash: 'sha256' },
  'ecdsa-with-SHA384': { oid: '1.2.840.10045.4.3.3', keyType: 'ec', hash: 'sha384' },
  'ecdsa-with-SHA512': { oid: '1.2.840.10045.4.3.4', keyType: 'ec', hash: 'sha512' },
  Ed25519: { oid: '1.3.101.112', keyType: 'ed25519', hash: null },
  sha256WithRSAEncryption: { oid: '1.2.840.113549.1.1.11', keyType: 'rsa', hash: 'sha256' },
  sha384WithRSAEncryption: { oid: '1.2.840.113549.1.1.12', keyType: 'rsa', hash: 'sha384' },
  sha512WithRSAEncryption: { oid: '1.2.840.113549.1.1.13', keyType: 'rsa', hash: 'sha512' },
}

const byOid = new Map(Object.entries(algorithms).map(([name, { oid }]) => [oid, name as SignatureAlgorithm]))
rememberOids(byOid.keys())

const encodings = Object.fromEntries(
  Object.entries(algorithms).map(([name, facts]) => [
    name,
    // RSA carries NULL parameters, the others none (RFC 4055 section 5, RFC 5758 section 3.2, RFC 8410 section 3).
    facts.keyType === 'rsa' ? sequence(oid(facts.oid), nullValue()) : sequence(oid(facts.oid)),
  ]),
) as Readonly<Record<SignatureAlgorithm, Buffer>>

/** The DER AlgorithmIdentifier of a signature algorithm. Shared: do not change the bytes. */
export function encodeSignatureAlgorithm(algorithm: SignatureAlgorithm): Buffer {
  return encodings[algorithm]
}

/**
 * Reads an AlgorithmIdentifier of a signature; its parameters must be exactly those of its standard. With
 * `strayNull: 'tolerated'` NULL may stand where there must be none: mbedTLS 2 signs so with ECDSA.
 *
 * @throws PkiError `signature-algorithm-unsupported` for SHA-1, RSA-PSS and everything else not in the list
 */
export function readSignatureAlgorithm(
  reader: DerReader,
  what: string,
  { strayNull = 'refused' }: { strayNull?: 'refused' | 'tolerated' } = {},
): SignatureAlgorithm {
  const identifier = reader.sequence(what)
  const dotted = identifier.oid(what)
  const algorithm = byOid.get(dotted)
  if (algorithm === undefined) {
    throw new PkiError(
      'signature-algorithm-unsupported',
      `${what}: ${dotted} is not supported; sign with ECDSA or RSA PKCS#1 v1.5 and SHA-2, or with Ed25519`,
    )
  }
  const hasStrayNull = strayNull === 'tolerated' && identifier.peek() === Tag.null
  if (algorithms[algorithm].keyType === 'rsa' || hasStrayNull) identifier.null(`${what}: parameters`)
  identifier.end(what)
  return algorithm
}

/** Whether a key of this type can have made such a signature at all. */
export function signatureFitsKey(algorithm: SignatureAlgorithm, key: KeyObject): boolean {
  return algorithms[algorithm].keyType === key.asymmetricKeyType
}

/** The name that `node:crypto` has for the hash of a signature algorithm; null for Ed25519, which hashes itself. */
export function signatureHash(algorithm: SignatureAlgorithm): 'sha256' | 'sha384' | 'sha512' | null {
  return algorithms[algorithm].hash
}

/**
 * Verifies a signature, on the threadpool unless told otherwise. False for anything but a valid signature: a
 * wrong one, one that is not well formed, one by an algorithm that does not fit the key. Never rejects because
 * of its input.
 */
export function verifySignature(
  algorithm: SignatureAlgorithm,
  publicKey: KeyObject,
  bytes: Uint8Array,
  signature: Uint8Array,
  thread: CryptoThread = 'pool',
): Promise<boolean> {
  if (thread === 'calling') {
    return Promise.resolve(verifySignatureSync(algorithm, publicKey, bytes, signature))
  }
  if (!signatureFitsKey(algorithm, publicKey)) return Promise.resolve(false)
  const { hash } = algorithms[algorithm]
  return new Promise((resolve) => {
    // An error is OpenSSL's word for a signature or a key that it cannot even try: not verified.
    verify(hash, bytes, publicKey, signature, (error, valid) => resolve(error === null && valid))
  })
}

/** As {@link verifySignature}, in the caller's own thread and at once. Throws nothing because of its input. */
export function verifySignatureSync(
  algorithm: SignatureAlgorithm,
  publicKey: KeyObject,
  bytes: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (!signatureFitsKey(algorithm, publicKey)) return false
  try {
    return verify(algorithms[algorithm].hash, bytes, publicKey, signature)
  } catch {
    return false
  }
}
