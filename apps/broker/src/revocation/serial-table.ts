import type { SerialNumber } from '@fleetroot/pki'

/** Words of four octets that hold a serial number: RFC 5280 section 4.1.2.2 allows 20 octets. */
const wordsEach = 5
const octetsEach = wordsEach * 4

/** What a list says about a certificate. */
export type Mark = 'revoked' | 'suspended'

/** A table as plain values, which may be sent to another process. */
export interface PackedTable {
  readonly size: number
  readonly serials: Uint32Array
  readonly suspended: Uint8Array
  readonly slots: Uint32Array
}

/**
 * The serial numbers of one revocation list, each marked revoked or suspended, looked up in constant time.
 * Nothing is ever taken out: a newer list is a new table. Open addressing over typed arrays, 21 octets an
 * entry and 8 to 16 for its slots: 100,000 take 3.1 MB, where a Map of strings takes three times that and gives
 * the garbage collector 100,000 objects to look at.
 */
export class SerialTable {
  #size = 0
  #capacity: number
  #serials: Uint32Array
  #suspended: Uint8Array
  /** Number of an entry plus one; 0 is a free slot. At most half of the slots are ever taken. */
  #slots: Uint32Array

  /** @param capacity how many entries there may be; setting one more throws RangeError */
  constructor(capacity = 0) {
    this.#capacity = capacity
    this.#serials = new Uint32Array(capacity * wordsEach)
    this.#suspended = new Uint8Array(capacity)
    this.#slots = new Uint32Array(2 ** Math.ceil(Math.log2(capacity * 2 + 2)))
  }

  /** A table that was packed, in this process or another; it takes over the arrays. */
  static unpack({ size, serials, suspended, slots }: PackedTable): SerialTable {
    const table = new SerialTable()
    table.#size = size
    table.#serials = serials
    table.#suspended = suspended
    table.#slots = slots
    table.#capacity = suspended.length
    return table
  }

  /** The arrays of this table themselves: for sending them away. */
  pack(): PackedTable {
    return { size: this.#size, serials: this.#serials, suspended: this.#suspended, slots: this.#slots }
  }

  /** How many entries there are. */
  get size(): number {
    return this.#size
  }

  /** Of a serial that is set twice the last mark counts. */
  set(serial: SerialNumber, mark: Mark): void {
    const slot = this.#find(serial)
    if (this.#slots[slot] === 0) {
      if (this.#size === this.#capacity) throw new RangeError(`more than ${this.#capacity} entries`)
      this.#serials.set(scratch, this.#size * wordsEach)
      this.#slots[slot] = this.#size += 1
    }
    this.#suspended[this.#slots[slot]! - 1] = mark === 'suspended' ? 1 : 0
  }

  /** Undefined for a serial that is not in the list. */
  get(serial: SerialNumber): Mark | undefined {
    const entry = this.#slots[this.#find(serial)]!
    if (entry === 0) return undefined
    return this.#suspended[entry - 1] === 1 ? 'suspended' : 'revoked'
  }

  /** The slot of `serial`, or the free one where it belongs; leaves its words in `scratch`. */
  #find(serial: SerialNumber): number {
    const slots = this.#slots
    const mask = slots.length - 1
    for (let slot = readSerial(serial) & mask; ; slot = (slot + 1) & mask) {
      const entry = slots[slot]!
      if (entry === 0 || this.#isAt(entry - 1)) return slot
    }
  }

  #isAt(entry: number): boolean {
    const start = entry * wordsEach
    for (let word = 0; word < wordsEach; word += 1) {
      if (this.#serials[start + word] !== scratch[word]) return false
    }
    return true
  }
}

const scratch = new Uint32Array(wordsEach)
const scratchOctets = Buffer.from(scratch.buffer)

/** Puts a serial into `scratch` as a number of 20 octets, and returns its hash. */
function readSerial(serial: SerialNumber): number {
  scratch.fill(0)
  scratchOctets.write(serial, octetsEach - serial.length / 2, 'hex')
  let hash = 0
  for (let word = 0; word < wordsEach; word += 1) {
    // The finalizer of MurmurHash3: serials of a CA that counts differ in their last bits only.
    hash = Math.imul(hash ^ scratch[word]!, 0x85ebca6b)
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
    hash ^= hash >>> 16
  }
  return hash
}
