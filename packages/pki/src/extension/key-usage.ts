import { namedBits, readDerInPlace } from '../der/index.ts'
import { PkiError } from '../error.ts'
import { type KeyUsage, keyUsages } from '../profile/profile.ts'

/** Encodes the value of a keyUsage extension (RFC 5280 section 4.2.1.3): a BIT STRING with named bits. */
export function encodeKeyUsage(usages: readonly KeyUsage[]): Buffer {
  let bits = 0
  for (const usage of usages) bits |= 1 << keyUsages.indexOf(usage)
  return namedBits(bits)
}

/**
 * Decodes the value of a keyUsage extension, in bit order.
 *
 * @throws PkiError `extension-invalid` when no bit is set (section 4.2.1.3) or an unknown one is, `der-invalid`
 */
export function decodeKeyUsage(der: Uint8Array): KeyUsage[] {
  const bits = readDerInPlace(der, 'keyUsage', (reader) => reader.namedBits('keyUsage'))
  if (bits === 0 || bits >= 1 << keyUsages.length) {
    throw new PkiError('extension-invalid', 'keyUsage: must set at least one of the nine bits and no other')
  }
  return keyUsages.filter((_, bit) => (bits & (1 << bit)) !== 0)
}
