import { PkiError } from '../error.ts'
import { derProblem } from './problem.ts'

/** What a reader accepts. `maxBytes` bounds the whole input, `maxDepth` the nesting of constructed elements. */
export interface DerLimits {
  maxBytes: number
  maxDepth: number
}

/** Enough for a certificate chain in PKCS#7; a CSR or a certificate is bounded more tightly by its parser. */
export const defaultDerLimits: DerLimits = { maxBytes: 256 * 1024, maxDepth: 16 }

/**
 * How many octets the length field at `at` has: 1, or 2 to 4 in the long form. Refuses the indefinite form,
 * a form longer than needed (X.690 section 10.1), and lengths of 16 MiB and more.
 */
export function lengthOctets(bytes: Buffer, at: number, end: number, what: string): number {
  const first = bytes[at]
  if (first === undefined || at >= end) throw derProblem(what, 'cut off before its length', at)
  if (first < 0x80) return 1
  if (first === 0x80) throw derProblem(what, 'indefinite length is not DER', at)
  const octets = first & 0x7f
  if (octets > 3) throw derProblem(what, `a length field of ${octets} octets`, at)
  if (at + octets >= end) throw derProblem(what, 'cut off inside its length', at)
  const leading = bytes[at + 1] ?? 0
  if (leading === 0 || (octets === 1 && leading < 0x80))
    throw derProblem(what, 'a length that is not minimal', at)
  return octets + 1
}

/** The length that a field of `octets` octets (see {@link lengthOctets}) at `at` states. */
export function readLength(bytes: Buffer, at: number, octets: number): number {
  if (octets === 1) return bytes[at] ?? 0
  return bytes.readUIntBE(at + 1, octets - 1)
}

/** Refuses to go deeper than the limit: nesting is the one thing in DER that costs stack. */
export function checkDepth(depth: number, limits: DerLimits, what: string): void {
  if (depth > limits.maxDepth) {
    throw new PkiError('der-too-deep', `${what}: nested deeper than ${limits.maxDepth} levels`)
  }
}
