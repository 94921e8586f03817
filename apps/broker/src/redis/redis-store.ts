import type { Identity } from '../admission/identity.ts'
import type { PeerMessage, PeerObserver, Peers } from '../store/peers.ts'
import { BrokerError } from '../error.ts'
import type { SharedBudget } from '../guard/shared-budget.ts'
import type { DropReason } from '../store/counts.ts'
import { sweepEveryMs } from '../store/limits.ts'
import { encodeMessage, type Message } from '../store/message.ts'
import { hasShare, ownerName } from '../store/retained.ts'
import { type Publication, Store, type StoreOptions } from '../store/store.ts'
import type { StoredSession, SubscriptionOptions } from '../store/stored-session.ts'
import { Accepting } from './accepting.ts'
import { Claims } from './claims.ts'
import type { HeldSessions } from './held-sessions.ts'
import type { Image } from './image.ts'
import type { Live } from './live.ts'
import type { RedisNode } from './node.ts'
import type { RedisJournal } from './redis-journal.ts'
import { type Argument, isOwnFault } from './scripts.ts'
import { encodeFilter, encodeOwner } from './shared-session.ts'

/** What a store in Redis is made of. */
export interface RedisStoreOptions extends StoreOptions {
  readonly journal: RedisJournal
  readonly node: RedisNode
  readonly live: Live
  readonly image: Image
  readonly budget: SharedBudget
  /** Messages sent to one session and not acknowledged, at most. */
  readonly maxUnacknowledged: number
}

/** So many changes that its node does not know the script `accept` looks at for a message: it does so for every one that is on its way. */
const fewChanges = 200
/** As many as Redis remembers: of a message that was overtaken again and again. */
const manyChanges = 10_000
const patientAttempts = 2

/** What is to be kept: a message for all who want it, or a retained one for a session that has asked. */
type Work =
  | { readonly publication: Publication; readonly time: number }
  | { readonly session: StoredSession; readonly message: Message; readonly qos: 1 | 2 }

/**
 * A store that several nodes share. What all must know to decide, sessions with their filters and retained messages, each has in
 * memory, as it was at some point of the log (`Image`); what only the node of a connected client needs, its queue and its windows, is in
 * memory there alone (`HeldSessions`), and in Redis always. A message is accepted by one script, which refuses when the receivers were
 * computed from an older version than the one in force: a filter that was granted anywhere before a message came is never missed.
 */
export class RedisStore extends Store implements Peers {
  declare readonly journal: RedisJournal
  override readonly peers: Peers = this
  readonly budget: SharedBudget
  readonly #node: RedisNode
  readonly #live: Live
  readonly #image: Image
  readonly #held: HeldSessions
  readonly #claims: Claims
  readonly #accepting: Accepting<Work>
  readonly #maxUnacknowledged: number
  readonly #log: StoreOptions['log']
  /** Filters that have changed since their session was saved. */
  readonly #touched = new WeakMap<StoredSession, Set<string>>()
  #isSweeping = false

  constructor(options: RedisStoreOptions) {
    super(options)
    this.budget = options.budget
    this.#node = options.node
    this.#live = options.live
    this.#image = options.image
    this.#held = options.image.held
    this.#maxUnacknowledged = options.maxUnacknowledged
    this.#log = options.log
    this.#claims = new Claims(options.node, options.image, this)
    this.#accepting = new Accepting({
      send: (work, round, attempt) => this.#send(work, round, attempt),
      known: (version) => this.#image.reach(version),
    })
  }

  follow(observer: PeerObserver): void {
    this.#image.observer = observer
  }

  claim(key: string, identity: Identity, isStored: boolean, isWanted: () => boolean): Promise<boolean> {
    this.journal.send()
    return this.#claims.claim(key, identity, isStored, isWanted)
  }

  release(key: string): void {
    const session = this.sessions.get(key)
    if (session !== undefined) this.unload(session)
    this.#held.drop(key)
    this.journal.add('free', key)
  }

  /** Memory keeps of a session what all nodes know, and no more; nothing is written. */
  unload(session: StoredSession): void {
    if (session.number !== undefined) this.journal.names.delete(session.number)
    session.number = undefined
    this.queues.clear(session)
    session.incoming.clear()
  }

  async current(): Promise<void> {
    this.journal.send()
    const entries = (await this.#node.main.callBuffer(
      'XREVRANGE',
      this.#image.logKey,
      '+',
      '-',
      'COUNT',
      1,
    )) as [Buffer][]
    const last = entries[0]?.[0]
    if (last !== undefined) await this.#node.reach(last.toString())
  }

  forward(message: Pick<PeerMessage, 'topic' | 'payload'>): void {
    this.#live.send(message)
  }

  override session(key: string): StoredSession {
    const session = super.session(key)
    if (session.number !== undefined) this.journal.names.set(session.number, key)
    return session
  }

  override subscribe(session: StoredSession, topic: string, options: SubscriptionOptions): void {
    super.subscribe(session, topic, options)
    this.#touch(session, topic)
  }

  override unsubscribe(session: StoredSession, topic: string): void {
    super.unsubscribe(session, topic)
    this.#touch(session, topic)
  }

  /** A filter has changed, of which `save` is to tell. Of a session of another node that one does. */
  #touch(session: StoredSession, topic: string): void {
    if (session.number === undefined) return
    const touched = this.#touched.get(session) ?? new Set()
    this.#touched.set(session, touched.add(topic))
  }

  override save(session: StoredSession): void {
    if (session.number === undefined) return
    const { key, leftMs, sentThrough } = session
    this.journal.add('session', key, encodeOwner(session))
    for (const topic of this.#touched.get(session) ?? [])
      this.journal.add('filter', key, topic, encodeFilter(session, topic))
    this.#touched.delete(session)
    this.journal.add('leave', key, leftMs ?? '', leftMs === undefined ? 'all' : sentThrough)
  }

  /** In one change: its queue goes with it. */
  override discard(key: string): number {
    const session = this.sessions.get(key)
    if (session?.number === undefined) return super.discard(key)
    this.journal.add('end', key)
    const messages = session.queue.length
    this.unload(session)
    super.discard(key)
    return messages
  }

  override accept(publication: Publication): Promise<unknown> {
    const { incoming } = publication
    if (incoming !== undefined) this.addIncoming(incoming.key, incoming.messageId, undefined)
    const accepted = this.#accept({ publication, time: this.now() })
    this.journal.track(accepted.catch(() => undefined))
    return accepted
  }

  override enqueue(session: StoredSession, message: Message, qos: 1 | 2): Promise<unknown> {
    return this.#accept({ session, message, qos })
  }

  /** Sessions that nobody holds are looked after by the one node that comes first, once in a while. */
  override sweep(): void {
    if (this.#isSweeping) return
    this.#isSweeping = true
    void this.#sweep()
      .catch(() => undefined)
      .finally(() => (this.#isSweeping = false))
  }

  async #sweep(): Promise<void> {
    const { node, limits } = { node: this.#node, limits: this.limits }
    const untilNextMs = Math.floor((sweepEveryMs(limits) * 5) / 6)
    const isFirst = await node.main.set(`${this.#image.prefix}:sweep`, node.id, 'PX', untilNextMs, 'NX')
    if (isFirst === null) return
    const now = this.now()
    for (const key of [...this.sessions.keys()].filter((key) => !this.#held.has(key))) {
      const words = [key, now - limits.maxQueuedMs, now - limits.sessionExpiryMs, this.#maxUnacknowledged]
      const [aged, expired] = (await node.run('age', words)) as [number, number]
      if (aged > 0) this.counts.drop('age', aged)
      if (expired > 0) this.counts.drop('session-expired', expired)
    }
  }

  async #accept(work: Work): Promise<unknown> {
    const answer = await this.#accepting.add(work, behind(work))
    const [verdict, ...dropped] = answer.map(String)
    for (let n = 0; n < dropped.length; n += 2) this.#report(dropped[n]!, dropped[n + 1] as DropReason)
    if (verdict === 'lost') throw new BrokerError('store-failed', 'the session is held by another node')
    return verdict
  }

  /** What is thrown before Redis is asked is an error of ours about this message: it is refused, and no other one is. */
  #send(work: Work, round: number, attempt: number): Promise<unknown> {
    // What the node has changed is in Redis before a message that was judged by it.
    this.journal.send()
    return this.#node.run('accept', this.#words(work, round, attempt)).catch((error: unknown) => {
      if (isOwnFault(error)) throw error
      this.#node.fail(error)
      throw this.#node.failure ?? error
    })
  }

  /** The arguments of the script `accept`. */
  #words(work: Work, round: number, attempt: number): Argument[] {
    const { limits } = this
    const bounds = [limits.maxQueuedMessages, limits.maxQueuedBytes, limits.maxQueuedBytesInTotal]
    const tail = [...bounds, this.#maxUnacknowledged]
    if ('session' in work) {
      const { session, message, qos } = work
      const words = ['', round, message.topic, encodeMessage(message), 'r', '', '', '', '', '', '']
      return [...words, ...tail, '', '', '', session.key, qos]
    }
    const { publication, time } = work
    const { topic, payload, qos, retain, owner, incoming, settles = '', presence } = publication
    const receivers = qos === 0 ? [] : this.receivers(publication)
    const isKept = incoming !== undefined && this.sessions.has(incoming.key)
    const words: Argument[] = [
      qos === 0 ? '' : `${this.#image.version} ${attempt < patientAttempts ? fewChanges : manyChanges}`,
      round,
      topic,
      encodeMessage({ topic, payload, qos, time }),
      `l${retain ? 'r' : ''}${payload.length === 0 ? 'e' : ''}`,
      owner === undefined ? '' : ownerName(owner),
      isKept ? incoming.key : '',
      isKept ? incoming.messageId : '',
      settles,
      presence?.id ?? '',
      presence === undefined ? '' : Number(presence.online),
    ]
    for (const word of [...tail, ...this.#shareOf(owner)]) words.push(word)
    for (const [session, granted] of receivers) words.push(session.key, granted < qos ? granted : qos)
    return words
  }

  /** What may be retained of this identity, in messages and bytes, and of all in bytes; nothing: as much as it likes. */
  #shareOf(owner: Identity | undefined): Argument[] {
    if (owner === undefined) return ['', '', '']
    const { maxRetainedMessages, maxRetainedBytes, maxRetainedBytesInTotal } = this.limits
    const share = hasShare(owner) ? [maxRetainedMessages, maxRetainedBytes] : ['', '']
    return [...share, maxRetainedBytesInTotal]
  }

  #report(key: string, reason: DropReason): void {
    this.counts.drop(reason)
    const session = this.sessions.get(key)
    if (session === undefined || session.isOverfull) return
    session.isOverfull = true
    this.#log.warn({ session: key, reason }, 'messages for a session are dropped from now on')
  }
}

/** Whose messages a message comes after: those of its publisher; of the device, of which the broker says that it is connected; of who has asked. */
function behind(work: Work): string {
  if ('session' in work) return work.session.owner === undefined ? '' : ownerName(work.session.owner)
  const { owner, presence } = work.publication
  if (presence !== undefined) return ownerName({ role: 'device', id: presence.id })
  return owner === undefined ? '' : ownerName(owner)
}
