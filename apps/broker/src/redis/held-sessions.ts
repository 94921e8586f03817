import { messageOverheadBytes } from '../store/limits.ts'
import type { Message } from '../store/message.ts'
import type { QueuedMessage } from '../store/queue.ts'
import { decodeQueued } from '../store/queued-record.ts'
import type { Store } from '../store/store.ts'
import type { StoredSession } from '../store/stored-session.ts'

/** A message that the script `accept` has put into a queue. */
export interface Placed {
  readonly sequence: number
  readonly messageId: number
  readonly qos: 1 | 2
  readonly retain: boolean
  readonly message: Message
  /** Sequence numbers of those that had to go for it. */
  readonly dropped: readonly number[]
}

/** A session whose client is connected here, or about to be. */
interface Held {
  /** Messages up to this number were in its queue when it was taken over; undefined: that is under way. */
  base: number | undefined
  pending: Placed[]
}

/**
 * The sessions that this node holds: of these, and of no others, the queue is in memory as well. It is loaded once and then follows
 * the log, in which every message for it is.
 */
export class HeldSessions {
  readonly #held = new Map<string, Held>()

  get keys(): string[] {
    return [...this.#held.keys()]
  }

  /** The session is asked for: what comes for it from now on may be for this node. */
  begin(key: string): void {
    this.#held.set(key, { base: undefined, pending: [] })
  }

  has(key: string): boolean {
    return this.#held.has(key)
  }

  /**
   * It is held. `queue`: sequence numbers, each with its record; `sent`: how far its last client may have been sent it, or `all`;
   * `incoming`: its QoS 2 window. Throws when a record does not make sense.
   */
  take(
    store: Store,
    session: StoredSession,
    answer: { sequence: number; sent: string; queue: readonly Buffer[]; incoming: readonly Buffer[] },
  ): void {
    const sentThrough = answer.sent === 'all' ? Infinity : Number(answer.sent)
    for (let n = 0; n < answer.queue.length; n += 2) {
      const sequence = Number(answer.queue[n])
      const { messageId, qos, retain, message } = decodeQueued(answer.queue[n + 1]!)
      const dup = sequence <= sentThrough
      store.queues.restore(session, entryOf({ sequence, messageId, qos, retain }, message, dup))
    }
    session.incoming.clear()
    for (const id of answer.incoming) session.incoming.set(Number(id), undefined)
    session.sentThrough = 0
    session.isOverfull = false
    this.settle(store, session.key, answer.sequence)
  }

  /** Nothing was in its queue up to this number. */
  settle(store: Store, key: string, sequence: number): void {
    const held = this.#held.get(key)
    if (held === undefined) return
    held.base = sequence
    for (const placed of held.pending.splice(0)) this.place(store, key, placed)
  }

  /** A message was put into the queue of a session. Returns the session when it is held here and may want to be woken. */
  place(store: Store, key: string, placed: Placed): StoredSession | undefined {
    const held = this.#held.get(key)
    if (held === undefined) return undefined
    if (held.base === undefined) {
      held.pending.push(placed)
      return undefined
    }
    const session = store.sessions.get(key)
    if (session?.number === undefined) return undefined
    for (const sequence of placed.dropped) {
      const entry = find(session, sequence)
      if (entry !== undefined) store.queues.remove(session, entry)
    }
    // A sequence number of 0: there was no room for it.
    if (placed.sequence <= held.base) return session
    store.queues.restore(session, entryOf(placed, placed.message, false))
    return session
  }

  /** It is held no longer. */
  drop(key: string): void {
    this.#held.delete(key)
  }

  clear(): void {
    this.#held.clear()
  }
}

function find({ queue }: StoredSession, sequence: number): QueuedMessage | undefined {
  for (const entry of queue) if (entry.sequence === sequence) return entry
  return undefined
}

function entryOf(
  { sequence, messageId, qos, retain }: Pick<Placed, 'sequence' | 'messageId' | 'qos' | 'retain'>,
  message: Message | undefined,
  dup: boolean,
): QueuedMessage {
  const content = message === undefined ? 0 : message.topic.length + message.payload.length
  return {
    sequence,
    message,
    shared: undefined,
    qos,
    retain,
    messageId,
    group: 0,
    bytes: content + messageOverheadBytes,
    isSent: false,
    dup,
    isGone: false,
    previous: undefined,
    next: undefined,
  }
}
