import { PkiError } from '../error.ts'
import { parseSerial, type SerialNumber } from '../serial.ts'
import type { RevokedCertificates } from './entries.ts'
import { type CrlEntry, decodeEntry, encodeEntry } from './entry.ts'
import { reasonCode, reasonName } from './reason.ts'

/** Called for each entry: where it starts, where its serial's magnitude starts and ends, whether it is `removeFromCRL`. */
type Visit = (entry: number, serialStart: number, serialEnd: number, isRemoval: boolean) => void

/** The one form in which entries carry a reason and nothing else: `crlEntryExtensions` up to the reason's number. */
const reasonPrefix = reasonExtensionPrefix()
const removeFromCrl = reasonCode('removeFromCRL')

/**
 * Walks encoded entries and holds each to the rules of `readEntry`. A relying party polls lists of 100,000
 * entries: those in the form that nearly all have (number, UTCTime, at most a reason) are checked where they
 * stand, 0.05 µs each; all others, bad ones included, go through `readEntry`, 4 µs each.
 *
 * @throws PkiError as `readEntry` does
 */
export function walkEntries(octets: Buffer, visit: Visit): void {
  for (let at = 0; at < octets.length;) {
    const length = octets[at + 1] ?? 0xff
    const numberLength = octets[at + 3] ?? 0
    const end = at + 2 + length
    if (end > octets.length || !isPlain(octets, at, length, numberLength)) {
      at = walkSlowly(octets, at, visit)
      continue
    }
    const number = at + 4
    const isRemoval = end > number + numberLength + 15 && octets[end - 1] === removeFromCrl
    visit(at, octets[number] === 0 ? number + 1 : number, number + numberLength, isRemoval)
    at = end
  }
}

function isPlain(octets: Buffer, at: number, length: number, numberLength: number): boolean {
  if (octets[at] !== 0x30 || octets[at + 2] !== 0x02 || numberLength === 0 || numberLength > 20) return false
  const first = octets[at + 4] ?? 0
  const second = octets[at + 5] ?? 0
  // Positive, not zero, minimal (X.690 section 8.3.2).
  if (first >= 0x80 || (first === 0 && (numberLength === 1 || second < 0x80))) return false
  const time = at + 4 + numberLength
  if (octets[time] !== 0x17 || octets[time + 1] !== 13 || !isUtcTime(octets, time + 2)) return false
  const extensions = time + 15
  const left = at + 2 + length - extensions
  if (left === 0) return true
  if (left !== reasonPrefix.length + 1) return false
  for (let index = 0; index < reasonPrefix.length; index += 1) {
    if (octets[extensions + index] !== reasonPrefix[index]) return false
  }
  const reason = octets[extensions + reasonPrefix.length] ?? 0xff
  return reasonName(reason) !== undefined
}

/** Whether `YYMMDDHHMMSSZ` stands here and is a date and time that exists. */
function isUtcTime(octets: Buffer, at: number): boolean {
  const year = twoDigits(octets, at)
  const month = twoDigits(octets, at + 2)
  const day = twoDigits(octets, at + 4)
  return (
    year <= 99 &&
    month >= 1 &&
    month <= 12 &&
    day >= 1 &&
    // Every fourth year from 1950 to 2049 is a leap year.
    (day <= (daysOfMonth[month - 1] ?? 0) || (day === 29 && month === 2 && year % 4 === 0)) &&
    twoDigits(octets, at + 6) <= 23 &&
    twoDigits(octets, at + 8) <= 59 &&
    twoDigits(octets, at + 10) <= 59 &&
    octets[at + 12] === 0x5a
  )
}

const daysOfMonth = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/** The number that two ASCII digits make; NaN, which no comparison holds for, when they are none. */
function twoDigits(octets: Buffer, at: number): number {
  const tens = (octets[at] ?? 0) - 0x30
  const ones = (octets[at + 1] ?? 0) - 0x30
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN
}

function walkSlowly(octets: Buffer, at: number, visit: Visit): number {
  // An entry that is longer than 64 KiB is none of anybody's; its length field then fails in decodeEntry.
  const end = entryEnd(octets, at)
  const { reason } = decodeEntry(octets.subarray(at, end))
  const number = at + (octets[at + 1] === 0x81 ? 3 : octets[at + 1] === 0x82 ? 4 : 2) + 2
  const numberEnd = number + (octets[number - 1] ?? 0)
  visit(at, octets[number] === 0 ? number + 1 : number, numberEnd, reason === 'removeFromCRL')
  return end
}

/** Where the element at `at` says that it ends, within the list. What it says is checked by who decodes it. */
function entryEnd(octets: Buffer, at: number): number {
  const first = octets[at + 1] ?? 0
  let end = at + 2 + first
  if (first === 0x81) end = at + 3 + (octets[at + 2] ?? 0)
  else if (first === 0x82) end = at + 4 + ((octets[at + 2] ?? 0) << 8) + (octets[at + 3] ?? 0)
  return Math.min(end, octets.length)
}

function reasonExtensionPrefix(): Buffer {
  const plain = { serial: parseSerial('01'), revokedAt: new Date(0) }
  const start = encodeEntry(plain).length
  return encodeEntry({ ...plain, reason: 'keyCompromise' }).subarray(start, -1)
}

/** Where the entry of each serial starts, and how many are `removeFromCRL`. */
export interface EntryIndex {
  readonly places: ReadonlyMap<SerialNumber, number>
  readonly removals: number
}

/**
 * Walks and indexes entries.
 *
 * @throws PkiError as {@link walkEntries}, and `crl-malformed` for a serial that occurs twice: one of the two
 * reasons would be lost
 */
export function indexEntries(octets: Buffer): EntryIndex {
  const places = new Map<SerialNumber, number>()
  let count = 0
  let removals = 0
  walkEntries(octets, (at, start, end, isRemoval) => {
    places.set(octets.toString('hex', start, end) as SerialNumber, at)
    count += 1
    if (isRemoval) removals += 1
  })
  if (count === places.size) return { places, removals }
  throw new PkiError('crl-malformed', 'CRL: the same serial number occurs twice')
}

/**
 * Entries that stay encoded: finding one is a look into a map from serial to place. The index is made when it
 * is first needed, unless it is given; octets that strangers sent must have passed {@link indexEntries}.
 */
export function entryTable(octets: Buffer, size: number, index?: EntryIndex): RevokedCertificates {
  let known = index
  const places = () => (known ??= indexEntries(octets)).places
  return {
    size,
    has: (serial) => places().has(serial),
    get: (serial) => {
      const at = places().get(serial)
      return at === undefined ? undefined : decodeEntry(octets.subarray(at, entryEnd(octets, at)))
    },
    serials: () => places().keys(),
    *[Symbol.iterator](): Iterator<CrlEntry> {
      for (let at = 0; at < octets.length; at = entryEnd(octets, at)) {
        yield decodeEntry(octets.subarray(at, entryEnd(octets, at)))
      }
    },
  }
}
