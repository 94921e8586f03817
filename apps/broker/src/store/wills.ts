import type { Identity } from '../admission/identity.ts'
import type { Journal } from './journal.ts'
import { willKey } from './keys.ts'
import { readIdentity } from './stored-session.ts'

/** A will as aedes has it: a PUBLISH packet, which it changes and asks for again by identity. */
export interface Will {
  readonly topic: string
  readonly payload: string | Buffer
  readonly qos?: 0 | 1 | 2
  readonly retain?: boolean
  clientId?: string
  brokerId?: string
}

/** A will that was left behind: its client was connected when the broker was killed. */
export interface LeftWill {
  readonly key: string
  readonly owner: Identity
  readonly will: {
    readonly topic: string
    readonly payload: Buffer
    readonly qos: 0 | 1 | 2
    readonly retain: boolean
  }
}

/** The wills of connected clients by session name, and those that a killed broker owes to the rest of the world. */
export class Wills {
  readonly #journal: Journal
  readonly #wills = new Map<string, Will>()
  #left = new Map<string, LeftWill>()

  constructor(journal: Journal) {
    this.#journal = journal
  }

  /** Keeps the will of a client that connects. */
  set(key: string, will: Will, owner: Identity | undefined): void {
    this.#wills.set(key, will)
    // Whoever is unknown could not be judged after a restart.
    if (owner !== undefined) this.#journal.put(willKey(key), encodeWill(will, owner))
  }

  get(key: string): Will | undefined {
    return this.#wills.get(key)
  }

  delete(key: string): Will | undefined {
    const will = this.#wills.get(key)
    if (this.#wills.delete(key)) this.#journal.del(willKey(key))
    return will
  }

  values(): Iterable<Will> {
    return this.#wills.values()
  }

  /** Adds what the disk still has at the start, or a dead node owes; the same one again as often as it is found. */
  leave(will: LeftWill): void {
    this.#left.set(will.key, will)
  }

  /** How many there are. */
  get left(): number {
    return this.#left.size
  }

  /** Takes all that were left: each is to be published and settled, or settled alone. */
  takeLeft(): LeftWill[] {
    const left = [...this.#left.values()]
    this.#left.clear()
    return left
  }

  /** A left will is published or refused; in the same piece of work as its publication. */
  settle(key: string): void {
    if (!this.#wills.has(key)) this.#journal.del(willKey(key))
  }
}

//     octets 0-3   length of the description
//     then         owner, topic, qos and retain as JSON; the payload

function encodeWill({ topic, payload, qos = 0, retain = false }: Will, owner: Identity): Buffer {
  const description = Buffer.from(JSON.stringify({ owner, topic, qos, retain }))
  const length = Buffer.alloc(4)
  length.writeUInt32BE(description.length)
  return Buffer.concat([length, description, Buffer.from(payload)])
}

/** Reads what the disk has; throws when it is not a will. */
export function decodeWill(key: string, record: Buffer): LeftWill {
  const end = 4 + record.readUInt32BE(0)
  const { owner, topic, qos, retain } = JSON.parse(record.toString('utf8', 4, end)) as {
    owner: Identity
    topic: string
    qos: 0 | 1 | 2
    retain: boolean
  }
  const payload = Buffer.from(record.subarray(end))
  return { key, owner: readIdentity(owner), will: { topic, payload, qos, retain } }
}
