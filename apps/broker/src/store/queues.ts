import type { Logger } from '@fleetroot/service'
import type { DropReason, StoreCounts } from './counts.ts'
import type { Journal } from './journal.ts'
import { queuedKey, sharedKey } from './keys.ts'
import { messageOverheadBytes, type StoreLimits } from './limits.ts'
import type { Message } from './message.ts'
import type { QueuedMessage, SharedMessage } from './queue.ts'
import { encodeQueued } from './queued-record.ts'
import type { StoredSession } from './stored-session.ts'

/** What queues are kept with. */
export interface QueuesOptions {
  readonly journal: Journal
  readonly limits: StoreLimits
  readonly counts: StoreCounts
  readonly log: Logger
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** The queues of all sessions: in memory and, by the journal, on disk; within their bounds. */
export class Queues {
  /** Of the next message; they give the order on disk. */
  nextSequence = 1
  readonly #options: QueuesOptions

  constructor(options: QueuesOptions) {
    this.#options = options
  }

  /**
   * Puts a message at the end of a session's queue, and drops what is beyond a bound: the oldest messages that have not
   * been sent, because a reading or a command is worth less the older it is; when all have been sent, the new one.
   */
  enqueue(
    session: StoredSession,
    message: Message,
    how: { qos: 1 | 2; retain?: boolean; shared?: SharedMessage | undefined },
  ): QueuedMessage | undefined {
    const { journal } = this.#options
    const { qos, retain = false, shared } = how
    const bytes = message.topic.length + message.payload.length + messageOverheadBytes
    if (!this.#makeRoom(session, bytes)) return undefined
    const entry: QueuedMessage = {
      sequence: this.nextSequence++,
      message,
      shared,
      qos,
      retain,
      messageId: session.queue.freeMessageId(),
      group: journal.group,
      bytes,
      isSent: false,
      dup: false,
      isGone: false,
      previous: undefined,
      next: undefined,
    }
    this.restore(session, entry)
    this.#write(session, entry)
    return entry
  }

  /** As `enqueue` of what is on disk already. */
  restore(session: StoredSession, entry: QueuedMessage): void {
    const { counts } = this.#options
    session.queue.append(entry)
    if (entry.shared !== undefined) entry.shared.waiting += 1
    counts.queued += 1
    counts.queuedBytes += entry.bytes
  }

  /** The client has acknowledged the message, or it will never get it. */
  remove(session: StoredSession, entry: QueuedMessage): void {
    if (entry.isGone) return
    const { journal, counts } = this.#options
    session.queue.remove(entry)
    if (session.queue.length === 0) session.isOverfull = false
    counts.queued -= 1
    counts.queuedBytes -= entry.bytes
    if (session.number !== undefined) journal.del(queuedKey(session.number, entry.sequence))
    // A PUBREL has let go of its message before.
    if (entry.message !== undefined) this.#letGo(entry)
  }

  /** The client has a QoS 2 message: all that is left of it is the PUBREL. */
  release(session: StoredSession, entry: QueuedMessage): void {
    if (entry.message === undefined) return
    entry.message = undefined
    this.#letGo(entry)
    this.#write(session, entry)
  }

  /** Gives an entry the packet identifier that another has chosen. */
  identify(session: StoredSession, entry: QueuedMessage, messageId: number): void {
    session.queue.identify(entry, messageId)
    this.#write(session, entry)
  }

  clear(session: StoredSession): number {
    let messages = 0
    for (const entry of session.queue) {
      if (entry.message !== undefined) messages += 1
      this.remove(session, entry)
    }
    return messages
  }

  /** Drops what has waited too long. */
  dropAged(session: StoredSession): void {
    for (const entry of session.queue) {
      if (entry.message === undefined || entry.isSent) continue
      if (!this.dropIfAged(session, entry)) return
    }
  }

  /** Drops one that has waited too long. Returns whether it has. */
  dropIfAged(session: StoredSession, entry: QueuedMessage): boolean {
    const { limits, now } = this.#options
    const isAged = entry.message !== undefined && entry.message.time <= now() - limits.maxQueuedMs
    if (isAged) this.#drop(session, entry, 'age')
    return isAged
  }

  #makeRoom(session: StoredSession, bytes: number): boolean {
    for (;;) {
      const reason = this.#findBound(session, bytes)
      if (reason === undefined) return true
      const oldest = oldestUnsent(session)
      if (oldest === undefined) {
        this.#report(session, reason)
        return false
      }
      this.#drop(session, oldest, reason)
    }
  }

  #findBound({ queue }: StoredSession, bytes: number): DropReason | undefined {
    const { limits, counts } = this.#options
    if (queue.length >= limits.maxQueuedMessages) return 'queue-messages'
    if (queue.bytes + bytes > limits.maxQueuedBytes) return 'queue-bytes'
    if (counts.queuedBytes + bytes > limits.maxQueuedBytesInTotal) return 'store-bytes'
    return undefined
  }

  #drop(session: StoredSession, entry: QueuedMessage, reason: DropReason): void {
    this.remove(session, entry)
    this.#report(session, reason)
  }

  #report(session: StoredSession, reason: DropReason): void {
    const { counts, log } = this.#options
    counts.drop(reason)
    if (session.isOverfull) return
    session.isOverfull = true
    log.warn(
      { session: session.key, reason, queued: session.queue.length, bytes: session.queue.bytes },
      'messages for a session are dropped from now on',
    )
  }

  #write({ number }: StoredSession, entry: QueuedMessage): void {
    const { journal } = this.#options
    entry.group = journal.group
    if (number !== undefined) journal.put(queuedKey(number, entry.sequence), encodeQueued(entry))
  }

  #letGo({ shared }: QueuedMessage): void {
    if (shared === undefined || shared.waiting === 0) return
    shared.waiting -= 1
    if (shared.waiting === 0) this.#options.journal.del(sharedKey(shared.sequence))
  }
}

/** What may be dropped without a trace: not what is half-way through its acknowledgement, now or before. */
function oldestUnsent({ queue }: StoredSession): QueuedMessage | undefined {
  for (const entry of queue) {
    if (!entry.isSent && entry.message !== undefined && !(entry.dup && entry.qos === 2)) return entry
  }
  return undefined
}
