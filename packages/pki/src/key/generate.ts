import { generateKeyPair as generate, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import type { KeyAlgorithm } from './algorithm.ts'

/** Both halves of a key. */
export interface KeyPair {
  publicKey: KeyObject
  privateKey: KeyObject
}

const generateOnThreadpool = promisify(generate)

/**
 * Makes a new key pair at once, on the calling thread: microseconds for a curve, up to seconds for RSA. RSA
 * exponents are 65537.
 */
export function generateKeyPair(algorithm: KeyAlgorithm): KeyPair {
  if (algorithm === 'Ed25519') return generateKeyPairSync('ed25519')
  if (algorithm === 'P-256' || algorithm === 'P-384')
    return generateKeyPairSync('ec', { namedCurve: algorithm })
  return generateKeyPairSync('rsa', { modulusLength: modulusBits(algorithm) })
}

/** Like {@link generateKeyPair}, on the threadpool: for a process that has other work to do. */
export function generateKeyPairAsync(algorithm: KeyAlgorithm): Promise<KeyPair> {
  if (algorithm === 'Ed25519') return generateOnThreadpool('ed25519')
  if (algorithm === 'P-256' || algorithm === 'P-384')
    return generateOnThreadpool('ec', { namedCurve: algorithm })
  return generateOnThreadpool('rsa', { modulusLength: modulusBits(algorithm) })
}

function modulusBits(algorithm: `RSA-${number}`): number {
  return Number(algorithm.slice('RSA-'.length))
}
