import type { Inbound } from '../guard/inbound-meter.ts'
import { FilterCounter } from './filter-counter.ts'

/** Limits of the packet guard; sizes in bytes of a whole packet, fixed header included. */
export interface PacketLimits {
  readonly maxConnectBytes: number
  readonly maxPacketBytes: number
  /** Topic filters of one session, and so of one SUBSCRIBE or UNSUBSCRIBE. */
  readonly maxFilters: number
}

export const defaultPacketLimits: PacketLimits = {
  maxConnectBytes: 8 * 1024,
  maxPacketBytes: 128 * 1024,
  maxFilters: 100,
}

/** Why the guard ends a connection. */
export type GuardReason =
  | 'first-packet-not-connect'
  | 'connect-repeated'
  | 'packet-type'
  | 'packet-length'
  | 'packet-too-large'
  | 'too-many-filters'

/** What the guard found, with a sentence for the log. */
export interface GuardRefusal {
  readonly reason: GuardReason
  readonly detail: string
}

const names = [
  'reserved type 0',
  'CONNECT',
  'CONNACK',
  'PUBLISH',
  'PUBACK',
  'PUBREC',
  'PUBREL',
  'PUBCOMP',
  'SUBSCRIBE',
  'SUBACK',
  'UNSUBSCRIBE',
  'UNSUBACK',
  'PINGREQ',
  'PINGRESP',
  'DISCONNECT',
  'reserved type 15',
]
const connect = 1
const publish = 3
const subscribe = 8
const unsubscribe = 10
const ping = 12

/** Remaining length of the packets that have only one; `undefined`: variable; `null`: never sent by a client. */
const lengths = [
  null,
  undefined,
  null,
  undefined,
  2,
  2,
  2,
  2,
  undefined,
  null,
  undefined,
  null,
  0,
  null,
  0,
  null,
]

/**
 * Follows the fixed headers of what a client sends [MQTT 3.1.1 section 2.2], across any chunk boundaries and
 * without keeping a byte, so that a packet is refused when its length is announced and not when it has been
 * buffered: aedes and mqtt-packet have no limit of their own and would collect 200 MB of CONNECT.
 *
 * Also refused: a first packet that is not CONNECT [MQTT-3.1.0-1], a second CONNECT [MQTT-3.1.0-2], packets
 * that only a server sends, acknowledgements and pings with a body, a remaining length of over 4 bytes, and a
 * SUBSCRIBE or UNSUBSCRIBE with more filters than a session may have: 128 KiB of them are 30,000, each of which
 * would be judged, answered and looked up.
 */
export class PacketGuard {
  readonly #limits: PacketLimits
  #connected = false
  /** Bytes of the current packet that follow its fixed header and have not come yet. */
  #body = 0
  /** Bytes of the current fixed header seen so far, the first byte among them. */
  #header = 0
  #type = 0
  #length = 0
  /** For a packet that has filters. */
  #filters: FilterCounter | undefined
  #requests = 0
  #filtersBegun = 0

  constructor(limits: PacketLimits = defaultPacketLimits) {
    this.#limits = limits
  }

  /** Has a whole CONNECT come? */
  get hasConnect(): boolean {
    return this.#connected && (this.#type !== connect || (this.#header === 0 && this.#body === 0))
  }

  /** Looks at the next bytes. After a refusal the connection must be ended; the guard is of no more use. */
  inspect(chunk: Uint8Array): GuardRefusal | undefined {
    let at = 0
    while (at < chunk.length) {
      if (this.#body > 0) {
        const taken = Math.min(this.#body, chunk.length - at)
        const refusal = this.#filters && this.#countFilters(chunk.subarray(at, at + taken))
        if (refusal !== undefined) return refusal
        this.#body -= taken
        at += taken
        continue
      }
      const refusal = this.#readHeaderByte(chunk[at]!)
      if (refusal !== undefined) return refusal
      at += 1
    }
    return undefined
  }

  /**
   * What has begun since the last call: packets that ask for something, PUBLISH, SUBSCRIBE, UNSUBSCRIBE and PINGREQ, and the topic
   * filters in them; with the `bytes` that were read. What a client sends in answer to us is not its own doing.
   */
  takeCounts(bytes = 0): Inbound {
    const counts = { messages: this.#requests, bytes, filters: this.#filtersBegun }
    this.#requests = 0
    this.#filtersBegun = 0
    return counts
  }

  #readHeaderByte(byte: number): GuardRefusal | undefined {
    if (this.#header === 0) {
      this.#header = 1
      this.#type = byte >> 4
      this.#length = 0
      return this.#checkType()
    }
    this.#length += (byte & 0x7f) * 128 ** (this.#header - 1)
    this.#header += 1
    if (byte >= 0x80) {
      return this.#header > 4 ? refuse('packet-length', 'a remaining length of more than 4 bytes') : undefined
    }
    const refusal = this.#checkLength()
    this.#body = this.#length
    this.#filters = filterCounter(this.#type)
    this.#header = 0
    return refusal
  }

  #countFilters(bytes: Uint8Array): GuardRefusal | undefined {
    const { maxFilters } = this.#limits
    const before = this.#filters!.count
    const count = this.#filters!.read(bytes)
    this.#filtersBegun += count - before
    if (count <= maxFilters) return undefined
    return refuse('too-many-filters', `${names[this.#type]} with more than ${maxFilters} filters`)
  }

  #checkType(): GuardRefusal | undefined {
    const name = names[this.#type]!
    if (!this.#connected && this.#type !== connect) {
      return refuse('first-packet-not-connect', `the first packet is ${name}, not CONNECT`)
    }
    if (this.#connected && this.#type === connect) return refuse('connect-repeated', 'a second CONNECT')
    if (lengths[this.#type] === null) return refuse('packet-type', `${name} from a client`)
    this.#connected = true
    if (isRequest(this.#type)) this.#requests += 1
    return undefined
  }

  #checkLength(): GuardRefusal | undefined {
    const name = names[this.#type]!
    const expected = lengths[this.#type]
    if (typeof expected === 'number' && this.#length !== expected) {
      return refuse('packet-length', `${name} with a remaining length of ${this.#length}, not ${expected}`)
    }
    const limit = this.#type === connect ? this.#limits.maxConnectBytes : this.#limits.maxPacketBytes
    const total = this.#header + this.#length
    if (total > limit) return refuse('packet-too-large', `${name} of ${total} bytes; the limit is ${limit}`)
    return undefined
  }
}

function refuse(reason: GuardReason, detail: string): GuardRefusal {
  return { reason, detail }
}

function isRequest(type: number): boolean {
  return type === publish || type === subscribe || type === unsubscribe || type === ping
}

function filterCounter(type: number): FilterCounter | undefined {
  if (type === subscribe) return new FilterCounter('SUBSCRIBE')
  return type === unsubscribe ? new FilterCounter('UNSUBSCRIBE') : undefined
}
