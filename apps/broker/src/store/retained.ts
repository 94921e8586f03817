import type { Identity } from '../admission/identity.ts'
import { TopicTree } from './topic-tree.ts'
import type { StoreCounts } from './counts.ts'
import { type Journal } from './journal.ts'
import { retainedKey } from './keys.ts'
import { messageOverheadBytes, type StoreLimits } from './limits.ts'
import { encodeMessage, type Message } from './message.ts'

/** A retained message, whose it is, and whatever else the caller wants back with it. */
export interface RetainedMessage {
  readonly message: Message
  /** Role and device id of who published it; undefined: the broker itself. */
  readonly owner: string | undefined
  readonly packet?: object
}

interface Share {
  messages: number
  bytes: number
}

/**
 * The last retained message of each topic, in a tree of topics. aedes-persistence looks at each of them for each filter of
 * a SUBSCRIBE, and lets nobody else have a turn until it has found one that matches: with 100,000 retained messages
 * and 100 filters the whole broker stands still for seconds.
 */
export class Retained {
  readonly #tree = new TopicTree<RetainedMessage>()
  readonly #byTopic = new Map<string, RetainedMessage>()
  readonly #shares = new Map<string, Share>()
  readonly #journal: Journal
  readonly #limits: StoreLimits
  readonly #counts: StoreCounts

  constructor(journal: Journal, limits: StoreLimits, counts: StoreCounts) {
    this.#journal = journal
    this.#limits = limits
    this.#counts = counts
  }

  /** May this identity have this message retained, by what is known here? */
  mayKeep({ role, id }: Pick<Identity, 'role' | 'id'>, topic: string, payloadBytes: number): boolean {
    if (payloadBytes === 0) return true
    const limits = this.#limits
    const bytes = sizeOf(topic, payloadBytes)
    const replaced = this.#byTopic.get(topic)
    const freed = replaced === undefined ? 0 : sizeOf(topic, replaced.message.payload.length)
    if (this.#counts.retainedBytes - freed + bytes > limits.maxRetainedBytesInTotal) return false
    if (!hasShare({ role })) return true
    const owner = ownerName({ role, id })
    const { messages, bytes: kept } = this.#shares.get(owner) ?? { messages: 0, bytes: 0 }
    const isOwn = replaced?.owner === owner
    return (
      messages - (isOwn ? 1 : 0) < limits.maxRetainedMessages &&
      kept - (isOwn ? freed : 0) + bytes <= limits.maxRetainedBytes
    )
  }

  /** Keeps a message in the place of the topic's last one; an empty one clears the topic [MQTT-3.3.1-10]. */
  set(retained: RetainedMessage): void {
    const { message, owner } = retained
    const key = retainedKey(message.topic)
    if (message.payload.length === 0) {
      if (!this.#forget(message.topic)) return
      this.#tree.delete(message.topic)
      this.#journal.del(key)
      return
    }
    this.restore(retained)
    this.#journal.put(key, encodeRetained(message, owner))
  }

  /** As `set` of what is on disk already. */
  restore(retained: RetainedMessage): void {
    const { message, owner } = retained
    this.#forget(message.topic)
    this.#byTopic.set(message.topic, retained)
    this.#tree.set(message.topic, retained)
    this.#account(owner, 1, sizeOf(message.topic, message.payload.length))
  }

  /** Forgets all of it; nothing is written. */
  clear(): void {
    for (const topic of this.#byTopic.keys()) {
      this.#forget(topic)
      this.#tree.delete(topic)
    }
  }

  match(filters: readonly string[]): AsyncGenerator<RetainedMessage, void, undefined> {
    return this.#tree.match(filters)
  }

  #forget(topic: string): boolean {
    const known = this.#byTopic.get(topic)
    if (known === undefined) return false
    this.#byTopic.delete(topic)
    this.#account(known.owner, -1, -sizeOf(topic, known.message.payload.length))
    return true
  }

  #account(owner: string | undefined, messages: number, bytes: number): void {
    this.#counts.retained += messages
    this.#counts.retainedBytes += bytes
    if (owner === undefined) return
    const share = this.#shares.get(owner) ?? { messages: 0, bytes: 0 }
    share.messages += messages
    share.bytes += bytes
    if (share.messages === 0) this.#shares.delete(owner)
    else this.#shares.set(owner, share)
  }
}

/**
 * Does a limit in count and one in bytes hold for this identity alone? For each device; services and operators, which
 * publish for whole fleets, share the limit of all.
 */
export function hasShare({ role }: Pick<Identity, 'role'>): boolean {
  return role === 'device'
}

export function ownerName({ role, id }: Pick<Identity, 'role' | 'id'>): string {
  return `${role}/${id}`
}

//     octet 0      length of the owner's name; 0: the broker itself
//     then         the name, the message

function encodeRetained(message: Message, owner = ''): Buffer {
  const name = Buffer.from(owner)
  const record = encodeMessage(message, 1 + name.length)
  record[0] = name.length
  name.copy(record, 1)
  return record
}

/** Where the message begins in a record of a retained one, and whose it is. */
export function retainedOwner(record: Buffer): { owner: string | undefined; prefix: number } {
  const prefix = 1 + record.readUInt8(0)
  return { owner: prefix === 1 ? undefined : record.toString('utf8', 1, prefix), prefix }
}

function sizeOf(topic: string, payloadBytes: number): number {
  return Buffer.byteLength(topic) + payloadBytes + messageOverheadBytes
}
