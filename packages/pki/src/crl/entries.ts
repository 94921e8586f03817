import { PkiError } from '../error.ts'
import type { SerialNumber } from '../serial.ts'
import { type CrlEntry, decodeEntry, encodeEntry } from './entry.ts'

/** Revoked certificates by serial number: what a list says, whether it is being made or was read. */
export interface RevokedCertificates extends Iterable<CrlEntry> {
  /** How many entries there are. */
  readonly size: number
  /** Whether there is an entry. In a delta CRL that may be a `removeFromCRL`. */
  has(serial: SerialNumber): boolean
  get(serial: SerialNumber): CrlEntry | undefined
  /** Every serial number, without the cost of decoding the rest. */
  serials(): Iterable<SerialNumber>
}

/** Adjacent entries: their serials, ascending, and their encodings one after the other. Buffers are never changed. */
interface Chunk {
  serials: SerialNumber[]
  octets: Buffer
}

/** Splits at this size. A change copies one chunk (25 KB) and the list of chunks (200 at 100,000 entries). */
const maxChunkEntries = 512

/**
 * The entries of a CRL, encoded once, sorted by serial number, kept in chunks: one more revocation among
 * 100,000 costs microseconds, and making the list is copying and signing. Not more than one CRL's worth: an
 * entry takes 35 to 75 octets and DER ends here at 16 MiB.
 *
 *     const entries = new CrlEntries(rows)
 *     entries.set({ serial, revokedAt: now, reason: 'keyCompromise' })
 *     await createCrl({ issuer, number, thisUpdate, nextUpdate, entries })
 *
 * Remove an entry only when its certificate has expired and a list that still named it was published after
 * that moment (RFC 5280 section 3.3), or when a hold is taken off.
 */
export class CrlEntries implements RevokedCertificates {
  private readonly chunks: Chunk[] = []
  private count = 0
  private octetCount = 0
  private removalCount = 0

  /** @throws PkiError `crl-refused` for a serial that occurs twice or an unknown reason; `time-invalid` */
  constructor(entries: Iterable<CrlEntry> = []) {
    const sorted = [...entries].sort((a, b) => compareSerials(a.serial, b.serial))
    for (let at = 0; at < sorted.length; at += maxChunkEntries / 2) {
      const part = sorted.slice(at, at + maxChunkEntries / 2)
      const serials = part.map(({ serial }) => serial)
      const octets = Buffer.concat(part.map(encodeEntry))
      this.chunks.push({ serials, octets })
      this.octetCount += octets.length
    }
    for (const [at, { serial, reason }] of sorted.entries()) {
      if (serial === sorted[at + 1]?.serial) {
        throw new PkiError('crl-refused', `CRL entries: serial ${serial} occurs twice`)
      }
      if (reason === 'removeFromCRL') this.removalCount += 1
    }
    this.count = sorted.length
  }

  get size(): number {
    return this.count
  }

  /** Octets of all entries together, encoded. */
  get byteLength(): number {
    return this.octetCount
  }

  /** How many entries are `removeFromCRL`, which only a delta CRL may have. */
  get removals(): number {
    return this.removalCount
  }

  has(serial: SerialNumber): boolean {
    return this.find(serial).found
  }

  get(serial: SerialNumber): CrlEntry | undefined {
    const { chunk, at, found } = this.find(serial)
    if (!found || chunk === undefined) return undefined
    const start = offsetOf(chunk, at)
    return decodeEntry(chunk.octets.subarray(start, endOf(chunk.octets, start)))
  }

  /**
   * Adds an entry, or puts it in the place of the one with the same serial.
   *
   * @throws PkiError `crl-refused` for an unknown reason, `time-invalid`; nothing has changed then
   */
  set(entry: CrlEntry): void {
    const encoded = encodeEntry(entry)
    this.splice(entry.serial, encoded)
    if (entry.reason === 'removeFromCRL') this.removalCount += 1
  }

  /** Takes an entry out. False when there was none. */
  delete(serial: SerialNumber): boolean {
    return this.splice(serial, undefined)
  }

  *serials(): Iterable<SerialNumber> {
    for (const { serials } of this.chunks) yield* serials
  }

  *[Symbol.iterator](): Iterator<CrlEntry> {
    for (const { octets } of this.chunks) {
      for (let at = 0; at < octets.length; at = endOf(octets, at)) {
        yield decodeEntry(octets.subarray(at, endOf(octets, at)))
      }
    }
  }

  /** The encoded entries in order, in pieces. They keep what they hold whatever is set later; do not change them. */
  pieces(): Buffer[] {
    return this.chunks.map(({ octets }) => octets)
  }

  /** Puts `encoded` (or nothing) where the entry of `serial` is or belongs. Returns whether there was one. */
  private splice(serial: SerialNumber, encoded: Buffer | undefined): boolean {
    const { index, chunk, at, found } = this.find(serial)
    if (chunk === undefined) {
      if (encoded !== undefined) this.chunks.push({ serials: [serial], octets: encoded })
    } else {
      if (!found && encoded === undefined) return false
      const { serials, octets } = chunk
      const start = offsetOf(chunk, at)
      const end = found ? endOf(octets, start) : start
      if (found && decodeEntry(octets.subarray(start, end)).reason === 'removeFromCRL') this.removalCount -= 1
      this.octetCount -= end - start
      const inserted = encoded === undefined ? [] : [encoded]
      chunk.octets = Buffer.concat([octets.subarray(0, start), ...inserted, octets.subarray(end)])
      serials.splice(at, found ? 1 : 0, ...(encoded === undefined ? [] : [serial]))
      if (serials.length > maxChunkEntries) this.split(index, chunk)
      else if (serials.length === 0) this.chunks.splice(index, 1)
    }
    this.octetCount += encoded?.length ?? 0
    this.count += (encoded === undefined ? 0 : 1) - (found ? 1 : 0)
    return found
  }

  private split(index: number, chunk: Chunk): void {
    const half = chunk.serials.length >> 1
    const middle = offsetOf(chunk, half)
    // Copied: a view would keep both halves alive for as long as one is.
    const second = { serials: chunk.serials.splice(half), octets: Buffer.from(chunk.octets.subarray(middle)) }
    chunk.octets = Buffer.from(chunk.octets.subarray(0, middle))
    this.chunks.splice(index + 1, 0, second)
  }

  /** The chunk and the place in it where a serial is or belongs; no chunk while there is no entry at all. */
  private find(serial: SerialNumber): {
    index: number
    chunk: Chunk | undefined
    at: number
    found: boolean
  } {
    // The last chunk that does not begin after the serial, or the first one.
    const after = firstIndex(this.chunks.length, (at) => isAfter(this.chunks[at]?.serials[0], serial))
    const index = Math.max(0, after - 1)
    const chunk = this.chunks[index]
    if (chunk === undefined) return { index, chunk, at: 0, found: false }
    const at = firstIndex(chunk.serials.length, (i) => !isAfter(serial, chunk.serials[i]))
    return { index, chunk, at, found: chunk.serials[at] === serial }
  }
}

/** Compares two serial numbers as numbers: they have no leading zeros, so the longer one is larger. */
export function compareSerials(a: SerialNumber, b: SerialNumber): number {
  if (a.length !== b.length) return a.length - b.length
  return a < b ? -1 : a > b ? 1 : 0
}

function isAfter(a: SerialNumber | undefined, b: SerialNumber | undefined): boolean {
  return a !== undefined && b !== undefined && compareSerials(a, b) > 0
}

/** The first index below `length` for which `holds` is true, given that it stays true; `length` if there is none. */
function firstIndex(length: number, holds: (index: number) => boolean): number {
  let low = 0
  let high = length
  while (low < high) {
    const middle = (low + high) >> 1
    if (holds(middle)) high = middle
    else low = middle + 1
  }
  return low
}

function offsetOf({ octets }: Chunk, index: number): number {
  let at = 0
  for (let left = index; left > 0; left -= 1) at = endOf(octets, at)
  return at
}

/** Where the entry at `start` ends: it has at most 127 octets (see encodeEntry), so its length has one. */
function endOf(octets: Buffer, start: number): number {
  return start + 2 + (octets[start + 1] ?? 0)
}
