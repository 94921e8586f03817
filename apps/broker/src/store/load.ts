import { corrupt, type Database } from './open.ts'
import { kind } from './keys.ts'
import { messageOverheadBytes } from './limits.ts'
import { decodeMessage, type Message } from './message.ts'
import type { SharedMessage } from './queue.ts'
import { decodeQueued } from './queued-record.ts'
import { retainedOwner } from './retained.ts'
import type { Store } from './store.ts'
import { decodeSession, type StoredSession } from './stored-session.ts'
import { decodeWill } from './wills.ts'

/** What a load has found. */
export interface Loaded {
  readonly sessions: number
  readonly messages: number
  readonly retained: number
  readonly wills: number
  /** Messages that a session or a retained record no longer refers to, left by a kill. */
  readonly orphans: number
  /** Stored sessions whose clients were connected at the end: the broker was killed, or its machine. */
  readonly interrupted: number
}

/**
 * Reads a whole store into memory. The keys come in an order in which nothing is met before what it refers to, but for
 * messages of sessions, which are put in their places at the end. Throws BrokerError `store-corrupt` when a record
 * does not make sense: a broker that skipped it would lose in silence what it has acknowledged.
 */
export async function loadStore(
  database: Database,
  store: Store,
  directory: string,
  now: number,
): Promise<Loaded> {
  const sessions = new Map<number, StoredSession>()
  const shared = new Map<number, { message: Message; holder: SharedMessage }>()
  let orphans = 0
  let interrupted = 0
  let lastSession = 0

  const readers: Readonly<Record<number, (key: Buffer, value: Buffer) => void>> = {
    [kind.incoming]: (key) => incoming.push([key.readUInt32BE(1), key.readUInt16BE(5)]),
    [kind.shared]: (key, value) => {
      const sequence = key.readUIntBE(1, 6)
      store.queues.nextSequence = Math.max(store.queues.nextSequence, sequence + 1)
      shared.set(sequence, { message: decodeMessage(value), holder: { sequence, waiting: 0 } })
    },
    [kind.queued]: (key, value) => queued.push([key, value]),
    [kind.retained]: (_key, value) => {
      const { owner, prefix } = retainedOwner(value)
      store.retained.restore({ message: decodeMessage(value, prefix), owner })
    },
    [kind.session]: (key, value) => {
      const number = key.readUInt32BE(1)
      lastSession = Math.max(lastSession, number)
      const session = decodeSession(number, value)
      sessions.set(number, session)
      store.restore(session)
    },
    [kind.will]: (key, value) => store.wills.leave(decodeWill(key.toString('utf8', 1), value)),
  }
  const incoming: [number, number][] = []
  const queued: [Buffer, Buffer][] = []
  try {
    for await (const [key, value] of database.iterator()) readers[key[0]!]?.(key, value)
    for (const [number, messageId] of incoming) sessions.get(number)?.incoming.set(messageId, undefined)
    for (const [key, value] of queued) {
      const session = sessions.get(key.readUInt32BE(1))
      if (session === undefined) {
        store.journal.del(key)
        orphans += 1
      } else restoreQueued(session, key.readUIntBE(5, 6), value)
    }
  } catch (error) {
    throw corrupt(directory, (error as Error).message, error)
  }
  for (const { holder } of shared.values()) if (holder.waiting === 0) orphans += store.forgetShared(holder)
  for (const session of sessions.values()) {
    // A client that was connected when the broker was killed may have any of these.
    if (session.leftMs === undefined) {
      session.sentThrough = Infinity
      interrupted += 1
    }
    for (const entry of session.queue) entry.dup = entry.sequence <= session.sentThrough
    session.leftMs ??= now
  }
  store.nextSession = lastSession + 1
  const { queued: messages, retained } = store.counts
  return { sessions: sessions.size, messages, retained, wills: store.wills.left, orphans, interrupted }

  function restoreQueued(session: StoredSession, sequence: number, value: Buffer): void {
    const record = decodeQueued(value)
    const holder = record.shared === undefined ? undefined : shared.get(record.shared)
    if (record.shared !== undefined && holder === undefined) throw new RangeError('a message is missing')
    const message = holder?.message ?? record.message
    store.queues.nextSequence = Math.max(store.queues.nextSequence, sequence + 1)
    store.queues.restore(session, {
      ...record,
      sequence,
      message,
      shared: holder?.holder,
      group: 0,
      bytes:
        (message === undefined ? 0 : message.topic.length + message.payload.length) + messageOverheadBytes,
      isSent: false,
      dup: false,
      isGone: false,
      previous: undefined,
      next: undefined,
    })
  }
}
