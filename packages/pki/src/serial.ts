import { randomBytes } from 'node:crypto'
import { PkiError } from './error.ts'

declare const serialNumber: unique symbol

/**
 * A certificate's serial number: lower-case hex, an even number of digits, no more leading zeros than that
 * needs. One number has one spelling, so serials compare and index as strings.
 */
export type SerialNumber = string & { readonly [serialNumber]: true }

/** RFC 5280 section 4.1.2.2: at most 20 octets, the sign bit of the DER INTEGER included. */
const maxOctets = 20

/**
 * A new serial number: 127 random bits, positive, 15 or 16 octets in DER (rarely fewer), which RFC 5280's limit of 20 and
 * the CA/Browser Forum's floor of 64 random bits both allow.
 *
 * @param random gives n random bytes; the platform's generator unless a test says otherwise
 */
export function newSerial(random: (n: number) => Uint8Array = takeRandom): SerialNumber {
  const octets = Buffer.from(random(16))
  if (octets.length !== 16) throw new PkiError('serial-invalid', 'serial: the generator must give 16 bytes')
  octets[0] = (octets[0] ?? 0) & 0x7f
  // Zero is not positive (RFC 5280). A generator that gives only zeros is broken: say so, do not spin.
  if (octets.every((octet) => octet === 0)) {
    throw new PkiError('serial-invalid', 'serial: the random generator gave only zeros')
  }
  return serialFromBytes(octets)
}

let pool = Buffer.alloc(0)

/** Random bytes of the platform, fetched for many serials at once, as that costs the same; each is given out once. */
function takeRandom(n: number): Uint8Array {
  if (pool.length < n) pool = randomBytes(n * 64)
  const taken = pool.subarray(0, n)
  pool = pool.subarray(n)
  return taken
}

/** The serial number that these big-endian bytes hold; leading zeros are dropped. Refuses zero and more than 20 octets. */
export function serialFromBytes(bytes: Uint8Array): SerialNumber {
  const octets = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const first = octets.findIndex((octet) => octet !== 0)
  const isSerial = first >= 0 && octets.length - first + ((octets[first] ?? 0) >= 0x80 ? 1 : 0) <= maxOctets
  // What is none is refused there, with the reason.
  return isSerial ? (octets.toString('hex', first) as SerialNumber) : parseSerial(octets.toString('hex'))
}

/**
 * Parses a serial number in hex: any case, leading zeros and the colons of openssl's output allowed.
 *
 * @throws PkiError `serial-invalid` for anything else, for zero, and for more than 20 octets
 */
export function parseSerial(text: string): SerialNumber {
  if (typeof text !== 'string' || !/^[0-9a-fA-F]+(?::[0-9a-fA-F]+)*$/.test(text)) {
    throw new PkiError('serial-invalid', 'serial: must be hexadecimal, like 5f3a09c2')
  }
  const digits = text.replaceAll(':', '').toLowerCase().replace(/^0+/, '')
  if (digits === '')
    throw new PkiError('serial-invalid', 'serial: must not be zero (RFC 5280 section 4.1.2.2)')
  const even = digits.length % 2 === 0 ? digits : `0${digits}`
  const octets = even.length / 2 + (/^[89a-f]/.test(even) ? 1 : 0)
  if (octets > maxOctets) {
    throw new PkiError('serial-invalid', `serial: has ${octets} octets, at most ${maxOctets} are allowed`)
  }
  return even as SerialNumber
}
