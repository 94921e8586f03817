import type { Message } from './message.ts'

/** A message that more than one session waits for: on disk once, and as long as one of them waits. */
export interface SharedMessage {
  readonly sequence: number
  waiting: number
}

/** A message on its way to one session, or the PUBREL that is left of it. */
export interface QueuedMessage {
  readonly sequence: number
  /** Undefined: the client has it, and the PUBREL is what has to be sent (MQTT 3.1.1 section 4.3.3). */
  message: Message | undefined
  readonly shared: SharedMessage | undefined
  /** What the session gets: the lower of the message's and its filters' quality of service. */
  readonly qos: 1 | 2
  readonly retain: boolean
  /**
   * Packet identifier, for good: it is on disk with the message, so that what is sent again after a kill is sent under the
   * identifier under which the client may have it already [MQTT-4.4.0-1].
   */
  messageId: number
  /** Group of the journal that makes it safe. Nothing is sent before: what is sent twice, is sent alike. */
  group: number
  readonly bytes: number
  /** Has this connection sent it? */
  isSent: boolean
  /** May another one have? */
  dup: boolean
  isGone: boolean
  previous: QueuedMessage | undefined
  next: QueuedMessage | undefined
}

const maxMessageId = 65_535

/** The messages of a session in their order, by packet identifier, and how far they have been sent. */
export class Queue {
  first: QueuedMessage | undefined
  last: QueuedMessage | undefined
  /** The first one that this connection has not sent. */
  unsent: QueuedMessage | undefined
  length = 0
  /** Those that this connection has sent. */
  sent = 0
  bytes = 0
  readonly #byMessageId = new Map<number, QueuedMessage>()
  #lastMessageId = 0

  append(entry: QueuedMessage): void {
    entry.previous = this.last
    if (this.last === undefined) this.first = entry
    else this.last.next = entry
    this.last = entry
    this.unsent ??= entry
    this.length += 1
    this.bytes += entry.bytes
    this.#byMessageId.set(entry.messageId, entry)
    this.#lastMessageId = entry.messageId
  }

  remove(entry: QueuedMessage): void {
    if (entry.isGone) return
    entry.isGone = true
    if (this.unsent === entry) this.unsent = entry.next
    if (entry.previous === undefined) this.first = entry.next
    else entry.previous.next = entry.next
    if (entry.next === undefined) this.last = entry.previous
    else entry.next.previous = entry.previous
    this.length -= 1
    this.bytes -= entry.bytes
    if (entry.isSent) this.sent -= 1
    if (this.#byMessageId.get(entry.messageId) === entry) this.#byMessageId.delete(entry.messageId)
  }

  /** The next one is being sent. */
  advance(): void {
    const entry = this.unsent
    if (entry === undefined) return
    entry.isSent = true
    this.sent += 1
    this.unsent = entry.next
  }

  /** The connection is gone: everything is to be sent again, what has been sent as such [MQTT-3.3.1-1]. */
  rewind(): void {
    for (let entry = this.first; entry !== undefined; entry = entry.next) {
      entry.dup ||= entry.isSent
      entry.isSent = false
    }
    this.sent = 0
    this.unsent = this.first
  }

  get(messageId: number): QueuedMessage | undefined {
    return this.#byMessageId.get(messageId)
  }

  /** Gives an entry another packet identifier. */
  identify(entry: QueuedMessage, messageId: number): void {
    if (this.#byMessageId.get(entry.messageId) === entry) this.#byMessageId.delete(entry.messageId)
    entry.messageId = messageId
    this.#byMessageId.set(messageId, entry)
  }

  /**
   * A packet identifier that nothing in the queue has. aedes by itself counts on from a random number, past those that
   * wait for their PUBACK or not.
   */
  freeMessageId(): number {
    let messageId = this.#lastMessageId
    do messageId = messageId >= maxMessageId ? 1 : messageId + 1
    while (this.#byMessageId.has(messageId))
    return messageId
  }

  *[Symbol.iterator](): Generator<QueuedMessage, void, undefined> {
    for (let entry = this.first; entry !== undefined; entry = entry.next) yield entry
  }
}
