import { createPublicKey, createSign, type KeyObject, sign } from 'node:crypto'
import { PkiError } from '../error.ts'
import { keyAlgorithm, type KeyAlgorithm } from './algorithm.ts'
import { type CryptoThread, type SignatureAlgorithm, signatureHash } from './signature.ts'

/**
 * What signs. An encrypted key file is one implementation ({@link keySigner}); a PKCS#11 token or a key
 * management service can be another. ECDSA signatures are in DER (RFC 3279 section 2.2.3), as X.509 wants.
 */
export interface Signer {
  readonly algorithm: SignatureAlgorithm
  readonly publicKey: KeyObject
  /** What is long may come in pieces, which are signed as if they were one. */
  sign(bytes: Uint8Array | readonly Uint8Array[]): Promise<Buffer>
}

const signatureAlgorithms: Readonly<Record<KeyAlgorithm, SignatureAlgorithm>> = {
  'P-256': 'ecdsa-with-SHA256',
  'P-384': 'ecdsa-with-SHA384',
  Ed25519: 'Ed25519',
  'RSA-2048': 'sha256WithRSAEncryption',
  'RSA-3072': 'sha256WithRSAEncryption',
  'RSA-4096': 'sha256WithRSAEncryption',
}

/** The signature algorithm that goes with a key: the hash is as strong as the curve; RSA takes SHA-256. */
export function signatureAlgorithmFor(key: KeyObject): SignatureAlgorithm {
  return signatureAlgorithms[keyAlgorithm(key)]
}

/**
 * A signer that holds a private key in memory and signs on the threadpool, or on the thread that asks.
 *
 * @throws PkiError `key-invalid` when given a public key, `key-unsupported` for other kinds of keys
 */
export function keySigner(
  privateKey: KeyObject,
  { thread = 'pool' }: { thread?: CryptoThread } = {},
): Signer {
  if (privateKey.type !== 'private') throw new PkiError('key-invalid', 'signer: needs a private key')
  const algorithm = signatureAlgorithmFor(privateKey)
  const hash = signatureHash(algorithm)
  const failure = (cause: unknown): PkiError =>
    new PkiError('key-invalid', 'signer: the key could not sign', { cause })
  const signHere: Signer['sign'] = async (bytes) => {
    try {
      // Ed25519 goes over its input twice and cannot take it in pieces.
      if (bytes instanceof Uint8Array || hash === null) return sign(hash, whole(bytes), privateKey)
      const signing = createSign(hash)
      for (const piece of bytes) signing.update(piece)
      return signing.sign(privateKey)
    } catch (error) {
      throw failure(error)
    }
  }
  const signInPool: Signer['sign'] = (bytes) =>
    new Promise((resolve, reject) => {
      sign(hash, whole(bytes), privateKey, (error, signature) => {
        if (error === null) resolve(signature)
        else reject(failure(error))
      })
    })
  return {
    algorithm,
    publicKey: createPublicKey(privateKey),
    sign: thread === 'calling' ? signHere : signInPool,
  }
}

function whole(bytes: Uint8Array | readonly Uint8Array[]): Uint8Array {
  return bytes instanceof Uint8Array ? bytes : Buffer.concat(bytes)
}
