/**
 * Counts the topic filters in the body of a SUBSCRIBE or UNSUBSCRIBE (MQTT 3.1.1 sections 3.8.3 and 3.10.3), across any
 * chunk boundaries and without keeping a byte. What is malformed is counted as it stands; the parser refuses it.
 */
export class FilterCounter {
  /** Bytes after each filter: the requested QoS, in a SUBSCRIBE. */
  readonly #trailer: number
  /** Bytes to the next length; first the packet identifier. */
  #skip = 2
  /** First byte of a length whose second byte has not come yet. */
  #high: number | undefined
  #count = 0

  constructor(packet: 'SUBSCRIBE' | 'UNSUBSCRIBE') {
    this.#trailer = packet === 'SUBSCRIBE' ? 1 : 0
  }

  /** Filters that have begun so far. */
  get count(): number {
    return this.#count
  }

  /** Reads the bytes of the body that follow those before; returns how many filters have begun so far. */
  read(bytes: Uint8Array): number {
    for (let at = 0; at < bytes.length;) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, bytes.length - at)
        this.#skip -= skipped
        at += skipped
      } else {
        this.#readLength(bytes[at]!)
        at += 1
      }
    }
    return this.#count
  }

  #readLength(byte: number): void {
    if (this.#high === undefined) {
      this.#high = byte
      return
    }
    this.#skip = this.#high * 256 + byte + this.#trailer
    this.#high = undefined
    this.#count += 1
  }
}
