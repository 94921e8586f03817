import { writeToStream } from 'mqtt-packet'
import type { Store } from '../store/store.ts'
import type { StoredSession } from '../store/stored-session.ts'
import type { Gates } from './gates.ts'
import type { Session } from './session.ts'

/** What an outbox needs of an aedes client. */
export interface OutboxClient {
  readonly waitForDrain: (done: () => void) => void
}

/** What an outbox is made of. */
export interface OutboxOptions {
  readonly client: OutboxClient
  readonly session: Session
  readonly stored: StoredSession
  readonly store: Store
  readonly gates: Pick<Gates, 'mayReceive'>
  /** Messages sent and not acknowledged, at most. */
  readonly maxUnacknowledged: number
}

/** Messages that may wait for a connected client before those who publish to it are held back. */
const ampleBacklog = 1_000

/**
 * Sends the queue of a session to its client: what has waited, and then, in the same order, what comes [MQTT-4.6.0-5]. aedes
 * would send the first from the store and the second from its message bus, at the same time, some of it twice. Here
 * the bus sends nothing with a quality of service to a session that is stored: a message is in its queue, or it is not for it.
 *
 * Each message passes the policy of the moment in which it is sent.
 */
export class Outbox {
  readonly #options: OutboxOptions
  #isOpen = false
  #isFull = false
  #waiting: (() => void)[] = []

  constructor(options: OutboxOptions) {
    this.#options = options
  }

  /** The CONNACK has been sent: from here on anything may be [MQTT-3.2.0-1]. */
  open(): void {
    this.#isOpen = true
    this.#options.stored.wake = () => this.send()
    this.send()
  }

  /** Holds somebody back who publishes to this session: not at all, as long as its queue is short. */
  holdBack(done: () => void): void {
    const { client, stored } = this.#options
    if (this.#isFull && stored.queue.length > ampleBacklog) client.waitForDrain(done)
    else setImmediate(done)
  }

  /** Calls back when the queue is short enough for more of what has no end of its own, such as retained messages. */
  whenShort(done: () => void): void {
    if (this.#isShort()) setImmediate(done)
    else this.#waiting.push(done)
  }

  /** Sends what can be sent now. */
  send(): void {
    if (!this.#isOpen || this.#isFull) return
    const { stream } = this.#options.session
    while (this.#sendNext()) {
      if (!stream.writableNeedDrain) continue
      this.#pause()
      break
    }
    if (this.#waiting.length > 0 && this.#isShort()) this.#release()
  }

  /** The connection is gone. */
  close(): void {
    this.#isOpen = false
    this.#release()
  }

  #isShort(): boolean {
    const { stored, session, store } = this.#options
    const { maxQueuedMessages, maxQueuedBytes } = store.limits
    const { length, bytes } = stored.queue
    const isShort = length <= Math.min(ampleBacklog, maxQueuedMessages) / 2 && bytes <= maxQueuedBytes / 2
    return isShort || session.stream.destroyed
  }

  #release(): void {
    for (const done of this.#waiting.splice(0)) setImmediate(done)
  }

  /** Returns whether there may be more. */
  #sendNext(): boolean {
    const { session, stored, store, gates, maxUnacknowledged } = this.#options
    const { queue } = stored
    const entry = queue.unsent
    if (entry === undefined || entry.group > store.journal.safeGroup) return false
    if (queue.sent >= maxUnacknowledged || hasEnded(session)) return false
    const { message, messageId, qos, retain, dup } = entry
    if (message === undefined) {
      queue.advance()
      writeToStream({ cmd: 'pubrel', messageId }, session.stream)
      return true
    }
    if (store.queues.dropIfAged(stored, entry)) return true
    if (!gates.mayReceive(session, { ...message, retain })) {
      // Of a session that has just been ended nothing is taken: its client may come back.
      if (hasEnded(session)) return false
      store.queues.remove(stored, entry)
      return true
    }
    queue.advance()
    const { topic, payload } = message
    writeToStream({ cmd: 'publish', topic, payload, qos, retain, dup, messageId }, session.stream)
    return true
  }

  #pause(): void {
    const { client, session } = this.#options
    this.#isFull = true
    session.stream.once('drain', () => {
      this.#isFull = false
      this.send()
    })
    // Starts the clock of a client that does not read.
    client.waitForDrain(() => undefined)
  }
}

function hasEnded({ isBarred, endReason, stream }: Session): boolean {
  return isBarred || endReason !== undefined || stream.destroyed
}
