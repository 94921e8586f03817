import { generateKeyPair, type KeyAlgorithm, type KeyPair } from '../key/index.ts'

const keyPairs = new Map<string, KeyPair>()

/** One key pair per algorithm and name, made once per process: RSA takes its time. */
export function testKeyPair(algorithm: KeyAlgorithm, name: string): KeyPair {
  const id = `${algorithm} ${name}`
  const known = keyPairs.get(id) ?? generateKeyPair(algorithm)
  keyPairs.set(id, known)
  return known
}
