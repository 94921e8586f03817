import type { KeyObject } from 'node:crypto'
import { PkiError } from '../error.ts'
import { keyMemo } from './memo.ts'

/** The kinds of keys that a CA or a device may have here. */
export type KeyAlgorithm = 'P-256' | 'P-384' | 'Ed25519' | 'RSA-2048' | 'RSA-3072' | 'RSA-4096'

/** All of {@link KeyAlgorithm}, the default first. */
export const keyAlgorithms: readonly KeyAlgorithm[] = [
  'P-256',
  'P-384',
  'Ed25519',
  'RSA-2048',
  'RSA-3072',
  'RSA-4096',
]

// OpenSSL's names of the curves.
const curves: Readonly<Record<string, KeyAlgorithm>> = { prime256v1: 'P-256', secp384r1: 'P-384' }

// Asking a key for its details costs 4 µs; whoever has read its encoding knows them.
const known = keyMemo<KeyAlgorithm>('algorithm')

/** Says what a key is that was imported just now, for those who ask later. */
export function rememberKeyAlgorithm(key: KeyObject, algorithm: KeyAlgorithm): void {
  known.set(key, algorithm)
}

/** Which algorithm a public or private key is for; undefined for a kind that is not supported. Never throws. */
export function detectKeyAlgorithm(key: KeyObject): KeyAlgorithm | undefined {
  const remembered = known.get(key)
  if (remembered !== undefined) return remembered
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key
  if (type === 'ed25519') return 'Ed25519'
  if (type === 'ec') return curves[details?.namedCurve ?? '']
  if (type !== 'rsa') return undefined
  return keyAlgorithms.find((algorithm) => algorithm === `RSA-${details?.modulusLength}`)
}

/**
 * Which algorithm a public or private key is for.
 *
 * @throws PkiError `key-unsupported`, naming what the key is and what would do
 */
export function keyAlgorithm(key: KeyObject): KeyAlgorithm {
  const algorithm = detectKeyAlgorithm(key)
  if (algorithm !== undefined) return algorithm
  throw new PkiError(
    'key-unsupported',
    `key: ${describeKey(key)} is not supported; use ${keyAlgorithms.join(', ')}`,
  )
}

/** What a key is, in words, for a message: `RSA with 1024 bits`, `curve secp521r1`, `x25519`. */
export function describeKey(key: KeyObject): string {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key
  if (type === 'rsa' || type === 'rsa-pss') return `${type.toUpperCase()} with ${details?.modulusLength} bits`
  if (type === 'ec') return `curve ${details?.namedCurve ?? 'without a name'}`
  return type ?? 'a secret key'
}
