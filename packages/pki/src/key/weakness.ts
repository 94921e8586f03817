import type { KeyObject } from 'node:crypto'
import { describeKey, detectKeyAlgorithm, keyAlgorithms } from './algorithm.ts'
import { keyMemo } from './memo.ts'
import { exportPublicKey, rsaNumbers } from './public-key.ts'
import { findRsaWeakness } from './rsa-weakness.ts'

/** Why a public key may not be certified. */
export type KeyWeaknessCode =
  | 'curve-unsupported'
  | 'ed25519-small-order'
  | 'key-algorithm-unsupported'
  | 'rsa-close-primes'
  | 'rsa-exponent'
  | 'rsa-modulus-size'
  | 'rsa-roca'
  | 'rsa-small-factor'

/** A weakness: a stable code, and a sentence that says what is wrong and what to do. */
export interface KeyWeakness {
  readonly code: KeyWeaknessCode
  readonly detail: string
}

// The check of a CSR and the issuance ask about one key; for RSA-4096 the answer costs 1.9 ms.
const verdicts = keyMemo<{ readonly weakness: KeyWeakness | undefined }>('weakness')

/**
 * What is wrong with a public key: its kind, its size, or numbers that show how badly it was made. Undefined
 * when nothing was found. No secret is needed, and none could be proven absent: this finds known mistakes.
 * A key is looked at once; its verdict is kept as long as the object.
 */
export function findKeyWeakness(publicKey: KeyObject): KeyWeakness | undefined {
  const kept = verdicts.get(publicKey)
  if (kept !== undefined) return kept.weakness
  const weakness = lookForWeakness(publicKey)
  verdicts.set(publicKey, { weakness })
  return weakness
}

function lookForWeakness(publicKey: KeyObject): KeyWeakness | undefined {
  if (publicKey.asymmetricKeyType === 'rsa') return findRsaWeakness(rsaNumbers(publicKey))
  const algorithm = detectKeyAlgorithm(publicKey)
  if (algorithm === 'Ed25519') return findEd25519Weakness(publicKey)
  if (algorithm !== undefined) return undefined
  const code = publicKey.asymmetricKeyType === 'ec' ? 'curve-unsupported' : 'key-algorithm-unsupported'
  return { code, detail: `key: ${describeKey(publicKey)} is not supported; use ${keyAlgorithms.join(', ')}` }
}

// The y coordinates of the eight points whose order divides the cofactor, little-endian, non-canonical
// spellings included. Under such a key OpenSSL 3.0 verifies signatures that nobody needed a secret to make.
const smallOrder = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
])

function findEd25519Weakness(publicKey: KeyObject): KeyWeakness | undefined {
  const y = Buffer.from(exportPublicKey(publicKey).subarray(-32))
  y[31] = (y[31] ?? 0) & 0x7f // the sign of x
  if (!smallOrder.has(y.toString('hex'))) return undefined
  return { code: 'ed25519-small-order', detail: 'key: the Ed25519 point has small order; make a new key' }
}
