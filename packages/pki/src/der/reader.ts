import { PkiError } from '../error.ts'
import { checkDepth, type DerLimits, defaultDerLimits, lengthOctets, readLength } from './length.ts'
import { decodeOid } from './oid.ts'
import { derProblem } from './problem.ts'
import { checkBitString, checkBoolean, checkElement, checkInteger, checkOrder } from './strict.ts'
import { decodeString, stringType, type StringType } from './string.ts'
import { contextConstructed, Tag, tagName } from './tag.ts'
import { decodeGeneralizedTime, decodeTime } from './time.ts'

/**
 * A cursor over the content of one constructed element. Each method takes the next element, which must have
 * the type that the method names, and moves past it; `what` names the field in the error. Nothing is taken
 * on trust: an element is either read by a typed method or walked by {@link DerReader.element}, both strict,
 * and a structure is finished with {@link DerReader.end}, which refuses what is left over.
 *
 * Every method throws PkiError `der-invalid` for bytes that are not DER or not of the expected type. Buffers
 * that are returned share memory with the input.
 */
export class DerReader {
  private readonly bytes: Buffer
  private readonly stop: number
  private readonly depth: number
  private readonly limits: DerLimits
  private at: number

  constructor(bytes: Buffer, start: number, stop: number, depth: number, limits: DerLimits) {
    this.bytes = bytes
    this.at = start
    this.stop = stop
    this.depth = depth
    this.limits = limits
  }

  /** The tag of the next element, or -1 at the end. */
  peek(): number {
    return this.at < this.stop ? (this.bytes[this.at] ?? -1) : -1
  }

  /** Whether everything has been read. */
  get done(): boolean {
    return this.at >= this.stop
  }

  /** Refuses whatever has not been read. */
  end(what: string): void {
    if (this.at < this.stop) {
      const left = this.stop - this.at
      throw derProblem(what, `${left} ${left === 1 ? 'byte' : 'bytes'} after its last element`, this.at)
    }
  }

  /** Moves past the next element, which must have this tag, and returns where its content starts. */
  private enter(tag: number, what: string): number {
    const { bytes, at, stop } = this
    if (at >= stop) throw derProblem(what, `${tagName(tag)} is missing`, at)
    const found = bytes[at] ?? 0
    if (found !== tag) throw derProblem(what, `expected ${tagName(tag)}, found ${tagName(found)}`, at)
    const octets = lengthOctets(bytes, at + 1, stop, what)
    const start = at + 1 + octets
    const next = start + readLength(bytes, at + 1, octets)
    if (next > stop) throw derProblem(what, `${tagName(tag)} is longer than what holds it`, at)
    this.at = next
    return start
  }

  /** A reader over the content of a constructed element with this tag. */
  constructed(tag: number, what: string): DerReader {
    checkDepth(this.depth + 1, this.limits, what)
    const start = this.enter(tag, what)
    return new DerReader(this.bytes, start, this.at, this.depth + 1, this.limits)
  }

  /** A reader over a SEQUENCE. */
  sequence(what: string): DerReader {
    return this.constructed(Tag.sequence, what)
  }

  /** A reader over a SET OF, whose order is checked before anything is read from it. */
  setOf(what: string): DerReader {
    const set = this.constructed(Tag.set, what)
    const { bytes, stop } = set
    let previous = -1
    for (let at = set.at; at < stop;) {
      const octets = lengthOctets(bytes, at + 1, stop, what)
      const next = at + 1 + octets + readLength(bytes, at + 1, octets)
      if (next > stop) throw derProblem(what, 'an element is longer than what holds it', at)
      if (previous >= 0) checkOrder(bytes, previous, at, next, what)
      previous = at
      at = next
    }
    return set
  }

  /** A reader over `[n] EXPLICIT`, or undefined when the next element has another tag. */
  optionalExplicit(n: number, what: string): DerReader | undefined {
    const tag = contextConstructed(n)
    return this.peek() === tag ? this.constructed(tag, what) : undefined
  }

  /** The content octets of a primitive element with this tag, as they are: for IMPLICIT context tags. */
  primitive(tag: number, what: string): Buffer {
    const start = this.enter(tag, what)
    return this.bytes.subarray(start, this.at)
  }

  /** BOOLEAN. Where the schema says DEFAULT, use {@link DerReader.optionalBoolean}. */
  boolean(what: string): boolean {
    const start = this.enter(Tag.boolean, what)
    checkBoolean(this.bytes, start, this.at, what)
    return this.bytes[start] === 0xff
  }

  /** `BOOLEAN DEFAULT FALSE`. An encoded FALSE is refused: DER leaves defaults out (X.690 section 11.5). */
  optionalBoolean(what: string): boolean {
    if (this.peek() !== Tag.boolean) return false
    if (this.boolean(what)) return true
    throw derProblem(what, 'FALSE is the default and must be left out', this.at)
  }

  /** INTEGER, as its two's complement content octets. */
  integer(what: string): Buffer {
    const start = this.enter(Tag.integer, what)
    checkInteger(this.bytes, start, this.at, what)
    return this.bytes.subarray(start, this.at)
  }

  /** A positive INTEGER as big-endian magnitude without leading zeros. Refuses zero and negative numbers. */
  positiveInteger(what: string): Buffer {
    const start = this.enter(Tag.integer, what)
    checkInteger(this.bytes, start, this.at, what)
    const first = this.bytes[start] ?? 0
    if (first >= 0x80) throw derProblem(what, 'a negative number', start)
    if (first !== 0) return this.bytes.subarray(start, this.at)
    if (this.at - start === 1) throw derProblem(what, 'must not be zero', start)
    return this.bytes.subarray(start + 1, this.at)
  }

  /** A non-negative INTEGER of at most 31 bits: versions, path lengths, counts. */
  smallInteger(what: string): number {
    const start = this.enter(Tag.integer, what)
    checkInteger(this.bytes, start, this.at, what)
    const octets = this.at - start
    if ((this.bytes[start] ?? 0) >= 0x80 || octets > 4) {
      throw derProblem(what, 'must be between 0 and 2147483647', start)
    }
    return this.bytes.readUIntBE(start, octets)
  }

  /** ENUMERATED with a value from 0 to 127. */
  enumerated(what: string): number {
    const start = this.enter(Tag.enumerated, what)
    checkInteger(this.bytes, start, this.at, what)
    const value = this.bytes[start] ?? 0
    if (this.at - start !== 1 || value >= 0x80) throw derProblem(what, 'must be between 0 and 127', start)
    return value
  }

  /** BIT STRING of whole octets: keys and signatures. Refuses unused bits. */
  bitString(what: string): Buffer {
    const start = this.enter(Tag.bitString, what)
    checkBitString(this.bytes, start, this.at, what)
    if (this.bytes[start] !== 0) throw derProblem(what, 'a BIT STRING that is not whole octets', start)
    return this.bytes.subarray(start + 1, this.at)
  }

  /**
   * BIT STRING with named bits, at most 16 of them, as a number in which bit n of ASN.1 is `1 << n`. Refuses
   * trailing zero bits, which DER leaves out (X.690 section 11.2.2).
   */
  namedBits(what: string): number {
    const start = this.enter(Tag.bitString, what)
    checkBitString(this.bytes, start, this.at, what)
    const octets = this.at - start - 1
    if (octets > 2) throw derProblem(what, 'more than 16 named bits', start)
    if (octets === 0) return 0
    const lowest = 1 << (this.bytes[start] ?? 0)
    if (((this.bytes[this.at - 1] ?? 0) & lowest) === 0) throw derProblem(what, 'trailing zero bits', start)
    let bits = 0
    for (let bit = 0; bit < octets * 8; bit += 1) {
      if (((this.bytes[start + 1 + (bit >> 3)] ?? 0) & (0x80 >> (bit & 7))) !== 0) bits |= 1 << bit
    }
    return bits
  }

  /** OCTET STRING. */
  octetString(what: string): Buffer {
    const start = this.enter(Tag.octetString, what)
    return this.bytes.subarray(start, this.at)
  }

  /** NULL. */
  null(what: string): void {
    const start = this.enter(Tag.null, what)
    if (start !== this.at) throw derProblem(what, 'a NULL with content', start)
  }

  /** OBJECT IDENTIFIER in dotted form. */
  oid(what: string): string {
    const start = this.enter(Tag.oid, what)
    return decodeOid(this.bytes, start, this.at, what)
  }

  /** X.509 Time: UTCTime through 2049, GeneralizedTime after (RFC 5280 section 4.1.2.5). */
  time(what: string): Date {
    const tag = this.peek() === Tag.generalizedTime ? Tag.generalizedTime : Tag.utcTime
    const start = this.enter(tag, what)
    return decodeTime(tag, this.bytes, start, this.at, what)
  }

  /** GeneralizedTime `YYYYMMDDHHMMSSZ` whatever the year: OCSP and invalidityDate are no X.509 Time. */
  generalizedTime(what: string): Date {
    const start = this.enter(Tag.generalizedTime, what)
    return decodeGeneralizedTime(this.bytes, start, this.at, what)
  }

  /** A character string of any type in {@link StringType}. */
  string(what: string): { type: StringType; value: string } {
    const tag = this.peek()
    const type = stringType(tag)
    if (type === undefined) throw derProblem(what, `expected a string, found ${tagName(tag)}`, this.at)
    const start = this.enter(tag, what)
    return { type, value: decodeString(type, this.bytes, start, this.at, what) }
  }

  /** A character string, or undefined when the next element is something else. */
  optionalString(what: string): { type: StringType; value: string } | undefined {
    return stringType(this.peek()) === undefined ? undefined : this.string(what)
  }

  /** One whole element of any type, header included, walked to its last octet. */
  element(what: string): Buffer {
    const start = this.at
    this.at = checkElement(this.bytes, start, this.stop, this.depth + 1, this.limits, what)
    return this.bytes.subarray(start, this.at)
  }

  /**
   * The encoding of the next element while `read` reads it: for what is signed or hashed as it stands. `read`
   * must consume exactly that element.
   */
  encoding<T>(read: (reader: this) => T): { der: Buffer; value: T } {
    const start = this.at
    const value = read(this)
    return { der: this.bytes.subarray(start, this.at), value }
  }
}

/**
 * Opens DER for reading. The input is copied once, so that what is parsed cannot change afterwards.
 *
 * @throws PkiError `der-too-large` beyond `limits.maxBytes`
 */
export function openDer(bytes: Uint8Array, what: string, limits: Partial<DerLimits> = {}): DerReader {
  const { maxBytes = defaultDerLimits.maxBytes, maxDepth = defaultDerLimits.maxDepth } = limits
  if (bytes.byteLength > maxBytes) {
    throw new PkiError(
      'der-too-large',
      `${what}: has ${bytes.byteLength} bytes, at most ${maxBytes} are allowed`,
    )
  }
  return new DerReader(Buffer.from(bytes), 0, bytes.byteLength, 0, { maxBytes, maxDepth })
}

/** Reads one element that is the whole input: opens, reads, and refuses trailing bytes. */
export function readDer<T>(
  bytes: Uint8Array,
  what: string,
  read: (reader: DerReader) => T,
  limits: Partial<DerLimits> = {},
): T {
  const reader = openDer(bytes, what, limits)
  const value = read(reader)
  reader.end(what)
  return value
}

/**
 * As {@link readDer}, without the copy: where `read` returns nothing that shares memory with the input, or nobody else
 * has the input. A certificate has a dozen such values within it.
 */
export function readDerInPlace<T>(bytes: Uint8Array, what: string, read: (reader: DerReader) => T): T {
  const { byteLength } = bytes
  if (byteLength > defaultDerLimits.maxBytes) return readDer(bytes, what, read)
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, byteLength)
  const reader = new DerReader(buffer, 0, byteLength, 0, defaultDerLimits)
  const value = read(reader)
  reader.end(what)
  return value
}
