import { createPublicKey, type KeyObject } from 'node:crypto'

/** The public key of a private key. */
export function publicHalf(privateKey: KeyObject): KeyObject {
  return createPublicKey(privateKey)
}
