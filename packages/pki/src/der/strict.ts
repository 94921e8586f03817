import { checkDepth, type DerLimits, lengthOctets, readLength } from './length.ts'
import { decodeOid } from './oid.ts'
import { derProblem } from './problem.ts'
import { decodeString, stringType } from './string.ts'
import { Tag, tagName } from './tag.ts'

/**
 * Walks one element of unknown meaning and everything in it, and holds each part to DER: what a typed reader
 * would have refused is refused here too. Primitive elements with a context tag are opaque, since without a
 * schema nobody can know their type.
 *
 * @returns where the element ends
 */
export function checkElement(
  bytes: Buffer,
  start: number,
  end: number,
  depth: number,
  limits: DerLimits,
  what: string,
): number {
  checkDepth(depth, limits, what)
  const tag = bytes[start]
  if (tag === undefined || start >= end) throw derProblem(what, 'an element is missing', start)
  if ((tag & 0x1f) === 0x1f) throw derProblem(what, 'a tag number above 30', start)
  if ((tag & 0x40) !== 0) throw derProblem(what, `${tagName(tag)}: X.509 has no such tag class`, start)
  const octets = lengthOctets(bytes, start + 1, end, what)
  const contentStart = start + 1 + octets
  const contentEnd = contentStart + readLength(bytes, start + 1, octets)
  if (contentEnd > end) throw derProblem(what, `${tagName(tag)} is longer than what holds it`, start)

  if ((tag & 0x20) === 0) {
    if (tag < 0x40) checkPrimitive(tag, bytes, contentStart, contentEnd, what)
    return contentEnd
  }
  if (tag < 0x40 && tag !== Tag.sequence && tag !== Tag.set) {
    throw derProblem(what, `a constructed ${tagName(tag & 0x1f)}, which DER does not have`, start)
  }
  let previous = -1
  for (let at = contentStart; at < contentEnd;) {
    const next = checkElement(bytes, at, contentEnd, depth + 1, limits, what)
    if (tag === Tag.set && previous >= 0) checkOrder(bytes, previous, at, next, what)
    previous = at
    at = next
  }
  return contentEnd
}

/** Refuses a SET OF whose element at `first` (which ends where `second` begins) should come after the next one (X.690 11.6). */
export function checkOrder(bytes: Buffer, first: number, second: number, end: number, what: string): void {
  if (bytes.compare(bytes, second, end, first, second) > 0) {
    throw derProblem(what, 'a SET OF that is not in ascending order', second)
  }
}

/** Refuses content octets that DER does not allow for a universal primitive type. */
export function checkPrimitive(tag: number, bytes: Buffer, start: number, end: number, what: string): void {
  const type = stringType(tag)
  if (type !== undefined) {
    decodeString(type, bytes, start, end, what)
    return
  }
  switch (tag) {
    case Tag.boolean:
      checkBoolean(bytes, start, end, what)
      return
    case Tag.integer:
    case Tag.enumerated:
      checkInteger(bytes, start, end, what)
      return
    case Tag.bitString:
      checkBitString(bytes, start, end, what)
      return
    case Tag.null:
      if (start !== end) throw derProblem(what, 'a NULL with content', start)
      return
    case Tag.oid:
      decodeOid(bytes, start, end, what)
      return
    case Tag.octetString:
    case Tag.universalString:
      return
    case Tag.utcTime:
    case Tag.generalizedTime:
      checkTimeText(tag, bytes, start, end, what)
      return
    default:
      throw derProblem(what, `${tagName(tag)} is not a type that X.509 uses`, start)
  }
}

/** BOOLEAN is one octet, 00 or FF (X.690 section 11.1). */
export function checkBoolean(bytes: Buffer, start: number, end: number, what: string): void {
  if (end - start !== 1 || (bytes[start] !== 0 && bytes[start] !== 0xff)) {
    throw derProblem(what, 'a BOOLEAN must be one octet, 00 or FF', start)
  }
}

/** INTEGER has at least one octet and no padding (X.690 section 8.3.2). */
export function checkInteger(bytes: Buffer, start: number, end: number, what: string): void {
  if (start >= end) throw derProblem(what, 'an INTEGER without content', start)
  if (end - start === 1) return
  const first = bytes[start]
  const negative = ((bytes[start + 1] ?? 0) & 0x80) !== 0
  if ((first === 0 && !negative) || (first === 0xff && negative)) {
    throw derProblem(what, 'an INTEGER that is not minimal', start)
  }
}

/** BIT STRING: the count of unused bits is 0 to 7, 0 when empty, and the unused bits are zero (X.690 11.2.1). */
export function checkBitString(bytes: Buffer, start: number, end: number, what: string): void {
  const unused = bytes[start]
  if (unused === undefined || start >= end) throw derProblem(what, 'a BIT STRING without content', start)
  const last = end - start === 1 ? 0 : (bytes[end - 1] ?? 0)
  if (unused > 7 || (unused > 0 && end - start === 1) || (last & ((1 << unused) - 1)) !== 0) {
    throw derProblem(what, 'a BIT STRING with bad unused bits', start)
  }
}

// A time of unknown purpose (a signing time, say) may have a fraction: digits, no trailing zero, Z (X.690 11.7, 11.8).
function checkTimeText(tag: number, bytes: Buffer, start: number, end: number, what: string): void {
  const text = bytes.toString('latin1', start, end)
  const form = tag === Tag.utcTime ? /^[0-9]{12}Z$/ : /^[0-9]{14}(?:\.[0-9]*[1-9])?Z$/
  if (!form.test(text)) throw derProblem(what, 'not a time in the form of DER', start)
}
