import { PkiError } from '../error.ts'
import { encodeOidContent } from './oid.ts'
import { encodeStringContent, stringTag, type StringType } from './string.ts'
import { contextConstructed, contextPrimitive, Tag } from './tag.ts'
import { encodeGeneralizedTimeContent, encodeTimeContent } from './time.ts'

/**
 * Any element: its tag, the minimal length, its content in one piece or several. Small ones are views of Node's
 * Buffer pool: most are pieces of a larger element at once, and memory of its own for each made a certificate
 * cost 240 µs of CPU instead of 200. Whoever sends one to another thread copies it first.
 */
export function tlv(tag: number, ...content: readonly Uint8Array[]): Buffer {
  let length = 0
  for (const part of content) length += part.byteLength
  const octets = headerLength(length)
  const out = Buffer.allocUnsafe(octets + length)
  writeHeader(out, tag, length, octets)
  let at = octets
  for (const part of content) {
    out.set(part, at)
    at += part.byteLength
  }
  return out
}

/** Tag and length alone, for content that is written behind it: a long list need not be copied to be wrapped. */
export function header(tag: number, length: number): Buffer {
  const octets = headerLength(length)
  const out = Buffer.allocUnsafeSlow(octets)
  writeHeader(out, tag, length, octets)
  return out
}

function writeHeader(out: Buffer, tag: number, length: number, octets: number): void {
  out[0] = tag
  if (length < 0x80) out[1] = length
  else {
    out[1] = 0x80 | (octets - 2)
    out.writeUIntBE(length, 2, octets - 2)
  }
}

function headerLength(length: number): number {
  if (length < 0x80) return 2
  if (length < 0x100) return 3
  if (length < 0x10000) return 4
  if (length < 0x1000000) return 5
  throw new PkiError('der-too-large', `element: ${length} bytes of content are more than this package writes`)
}

/** SEQUENCE and SEQUENCE OF. */
export function sequence(...elements: readonly Uint8Array[]): Buffer {
  return tlv(Tag.sequence, ...elements)
}

/** SET OF: sorts its elements, as DER demands (X.690 section 11.6). */
export function setOf(...elements: readonly Uint8Array[]): Buffer {
  return tlv(Tag.set, ...inOrder(elements))
}

function inOrder(elements: readonly Uint8Array[]): Uint8Array[] {
  return elements.toSorted((a, b) => Buffer.compare(a, b))
}

/** `[n] EXPLICIT`. */
export function explicit(n: number, ...elements: readonly Uint8Array[]): Buffer {
  return tlv(contextConstructed(n), ...elements)
}

/** `[n] IMPLICIT` on a primitive type, given its content octets. */
export function implicit(n: number, content: Uint8Array): Buffer {
  return tlv(contextPrimitive(n), content)
}

/** `[n] IMPLICIT SET OF`, sorted. */
export function implicitSetOf(n: number, ...elements: readonly Uint8Array[]): Buffer {
  return tlv(contextConstructed(n), ...inOrder(elements))
}

/** BOOLEAN. A field that is `DEFAULT FALSE` must be left out instead of written as false. */
export function boolean(value: boolean): Buffer {
  return tlv(Tag.boolean, Buffer.of(value ? 0xff : 0))
}

/** INTEGER from a number (a safe integer) or a bigint. */
export function integer(value: number | bigint): Buffer {
  const number = BigInt(value)
  let octets = 1
  while (BigInt.asIntN(octets * 8, number) !== number) octets += 1
  const hex = BigInt.asUintN(octets * 8, number).toString(16)
  return tlv(Tag.integer, Buffer.from(hex.padStart(octets * 2, '0'), 'hex'))
}

/** ENUMERATED; the enumerations of X.509 have values from 0 to 127. */
export function enumerated(value: number): Buffer {
  if (!(Number.isInteger(value) && value >= 0 && value <= 127)) {
    throw new PkiError('der-invalid', 'enumerated: must be between 0 and 127')
  }
  return tlv(Tag.enumerated, Buffer.of(value))
}

/** INTEGER from a big-endian magnitude: serial numbers, moduli. Leading zeros are dropped. */
export function unsignedInteger(magnitude: Uint8Array): Buffer {
  let start = 0
  while (start < magnitude.length - 1 && magnitude[start] === 0) start += 1
  const octets = magnitude.subarray(start)
  if (octets.length === 0) return integer(0)
  return tlv(Tag.integer, ...((octets[0] ?? 0) >= 0x80 ? [Buffer.of(0), octets] : [octets]))
}

/** BIT STRING of whole octets. */
export function bitString(content: Uint8Array): Buffer {
  return tlv(Tag.bitString, Buffer.of(0), content)
}

/** BIT STRING with named bits, given as a number in which bit n of ASN.1 is `1 << n`; at most 16 bits. */
export function namedBits(bits: number): Buffer {
  if (!(Number.isInteger(bits) && bits >= 0 && bits <= 0xffff)) {
    throw new PkiError('der-invalid', 'named bits: must be a number of at most 16 bits')
  }
  if (bits === 0) return tlv(Tag.bitString, Buffer.of(0))
  const highest = 31 - Math.clz32(bits)
  const octets = Buffer.alloc((highest >> 3) + 1)
  for (let bit = 0; bit <= highest; bit += 1) {
    if ((bits & (1 << bit)) !== 0) octets[bit >> 3] = (octets[bit >> 3] ?? 0) | (0x80 >> (bit & 7))
  }
  return tlv(Tag.bitString, Buffer.of(7 - (highest & 7)), octets)
}

/** OCTET STRING. */
export function octetString(content: Uint8Array): Buffer {
  return tlv(Tag.octetString, content)
}

/** NULL. */
export function nullValue(): Buffer {
  return Buffer.of(Tag.null, 0)
}

/** OBJECT IDENTIFIER from its dotted form. */
export function oid(dotted: string): Buffer {
  return tlv(Tag.oid, encodeOidContent(dotted))
}

/** X.509 Time: UTCTime through 2049, GeneralizedTime after. Milliseconds are cut off. */
export function time(date: Date): Buffer {
  const { tag, text } = encodeTimeContent(date)
  return tlv(tag, Buffer.from(text, 'latin1'))
}

/** GeneralizedTime whatever the year, for the fields that are no X.509 Time. Milliseconds are cut off. */
export function generalizedTime(date: Date): Buffer {
  return tlv(Tag.generalizedTime, Buffer.from(encodeGeneralizedTimeContent(date), 'latin1'))
}

/** A character string of the given type. Refuses characters that the type cannot hold. */
export function string(type: StringType, text: string): Buffer {
  return tlv(stringTag(type), encodeStringContent(type, text))
}
