import { hash } from 'node:crypto'

/** Hashes that PKCS#12 files use for their MAC, with output and block size in octets. */
export const macHashes = {
  sha1: { length: 20, block: 64 },
  sha256: { length: 32, block: 64 },
  sha384: { length: 48, block: 128 },
  sha512: { length: 64, block: 128 },
} as const

/** A hash of {@link macHashes}. */
export type MacHash = keyof typeof macHashes

/** ID octet for the MAC key: RFC 7292, appendix B.3. */
const macKeyId = 3

/**
 * The MAC key of a PKCS#12 file: RFC 7292, appendix B.2, with ID 3 and as many octets as the hash gives, so
 * that one round is enough. The password is a BMPString with two trailing zero octets (appendix B.1).
 */
export function deriveMacKey(
  digest: MacHash,
  password: string,
  salt: Uint8Array,
  iterations: number,
): Buffer {
  const { block } = macHashes[digest]
  const diversifier = Buffer.alloc(block, macKeyId)
  let key = Buffer.concat([diversifier, fill(salt, block), fill(bmpString(password), block)])
  for (let round = 0; round < iterations; round += 1) key = hash(digest, key, 'buffer')
  return key
}

/** Repeats the octets up to the next whole block; nothing stays nothing. */
function fill(octets: Uint8Array, block: number): Buffer {
  return Buffer.alloc(block * Math.ceil(octets.length / block), octets)
}

function bmpString(text: string): Buffer {
  return Buffer.from(`${text}\0`, 'utf16le').swap16()
}
