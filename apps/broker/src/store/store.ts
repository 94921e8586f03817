import type { Logger } from '@fleetroot/service'
import type { Identity } from '../admission/identity.ts'
import { StoreCounts } from './counts.ts'
import { FilterTree } from './filter-tree.ts'
import { type Journal, memoryJournal } from './journal.ts'
import { incomingKey, sessionKey, sharedKey } from './keys.ts'
import { defaultStoreLimits, type StoreLimits } from './limits.ts'
import { encodeMessage, type Message } from './message.ts'
import type { SharedMessage } from './queue.ts'
import { Queues } from './queues.ts'
import type { Peers } from './peers.ts'
import { ownerName, Retained } from './retained.ts'
import {
  encodeSession,
  newSession,
  type StoredSession,
  type Subscription,
  type SubscriptionOptions,
} from './stored-session.ts'
import { Wills } from './wills.ts'

/** What a store is made of. */
export interface StoreOptions {
  /** Default: in memory. */
  readonly journal?: Journal
  readonly limits?: Partial<StoreLimits>
  readonly counts?: StoreCounts
  readonly log: Logger
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** A PUBLISH that is about to be acknowledged, or the will of a client that is gone. */
export interface Publication {
  readonly topic: string
  readonly payload: Buffer
  readonly qos: 0 | 1 | 2
  readonly retain: boolean
  /** Who publishes; undefined: the broker itself, to which nobody is to acknowledge anything. */
  readonly owner: Identity | undefined
  /** Of a QoS 2 message: whose window it is in, under which packet identifier. */
  readonly incoming?: { readonly key: string; readonly messageId: number }
  /** Of what was left behind: the name of the debt. One that is no longer there is not to be paid again. */
  readonly settles?: string
  /** Of a message that says whether a device is connected: to be forgotten unless it is so when the message is kept. */
  readonly presence?: { readonly id: string; readonly online: boolean }
  /** May it wait for this session? */
  readonly mayQueue: (session: StoredSession) => boolean
}

/**
 * What the broker has promised to keep: sessions with their subscriptions and queues, retained messages, wills, and the
 * state of QoS 2 in both directions. Memory answers every question; each change goes to the journal in the piece of
 * work in which it is made, so that the disk has, after a kill, what memory had a few milliseconds before, and
 * everything that was acknowledged.
 */
export class Store {
  readonly journal: Journal
  /** The brokers that share the store, where there may be others. */
  readonly peers: Peers | undefined = undefined
  readonly counts: StoreCounts
  readonly limits: StoreLimits
  readonly retained: Retained
  readonly wills: Wills
  readonly queues: Queues
  readonly filters = new FilterTree<StoredSession, Subscription>()
  readonly now: () => number
  nextSession = 1
  readonly #sessions = new Map<string, StoredSession>()
  readonly #perOwner = new Map<string, number>()
  /** QoS 2 windows of sessions that end with their connection. */
  readonly #passing = new Map<string, StoredSession>()

  constructor({ journal = memoryJournal, limits, counts = new StoreCounts(), log, now }: StoreOptions) {
    this.journal = journal
    this.limits = { ...defaultStoreLimits, ...limits }
    this.counts = counts
    this.now = now
    this.retained = new Retained(journal, this.limits, counts)
    this.wills = new Wills(journal)
    this.queues = new Queues({ journal, limits: this.limits, counts, log, now })
  }

  /** The sessions that outlive their connections. */
  get sessions(): ReadonlyMap<string, StoredSession> {
    return this.#sessions
  }

  /** Is there room for a session of this name? An identity may have several client ids, and not endlessly many. */
  mayOpen(key: string, owner: Identity): boolean {
    return this.#sessions.has(key) || (this.#perOwner.get(ownerName(owner)) ?? 0) < this.limits.maxSessions
  }

  /** A session for a client that has connected with clean session 0: the one there is, or a new one. */
  open(key: string, owner: Identity): StoredSession {
    const isResumed = this.#sessions.has(key)
    const session = this.session(key)
    session.isResumed = isResumed
    this.#count(session, -1)
    session.owner = owner
    this.#count(session, 1)
    session.leftMs = undefined
    this.save(session)
    return session
  }

  session(key: string): StoredSession {
    const known = this.#sessions.get(key)
    if (known !== undefined) return known
    const session = newSession(this.nextSession++, key)
    this.restore(session)
    return session
  }

  /** Takes up a session that is on disk already. */
  restore(session: StoredSession): void {
    this.#sessions.set(session.key, session)
    this.#count(session, 1)
    this.counts.sessions += 1
    for (const subscription of session.subscriptions.values()) this.#listen(subscription)
  }

  /** The client of a session is gone. */
  leave(session: StoredSession): void {
    session.wake = undefined
    session.queue.rewind()
    session.leftMs = this.now()
    for (const entry of session.queue) if (entry.dup) session.sentThrough = entry.sequence
    if (this.#sessions.get(session.key) === session) this.save(session)
  }

  /** Ends a session and everything in it [MQTT-3.1.2-6]. Returns the number of messages that it still waited for. */
  discard(key: string): number {
    this.#passing.delete(key)
    const session = this.#sessions.get(key)
    if (session === undefined) return 0
    for (const subscription of session.subscriptions.values()) this.#ignore(subscription)
    session.subscriptions.clear()
    const messages = this.queues.clear(session)
    this.clearIncoming(key)
    if (session.number !== undefined) this.journal.del(sessionKey(session.number))
    this.#sessions.delete(key)
    this.#count(session, -1)
    this.counts.sessions -= 1
    return messages
  }

  subscribe(session: StoredSession, topic: string, options: SubscriptionOptions): void {
    const subscription = { session, topic, options }
    session.subscriptions.set(topic, subscription)
    this.#ignore(subscription)
    this.#listen(subscription)
  }

  unsubscribe(session: StoredSession, topic: string): void {
    const subscription = session.subscriptions.get(topic)
    if (subscription === undefined) return
    session.subscriptions.delete(topic)
    this.#ignore(subscription)
  }

  save(session: StoredSession): void {
    if (session.number !== undefined) this.journal.put(sessionKey(session.number), encodeSession(session))
  }

  /** The packet identifiers of a client's QoS 2 messages that wait for their PUBREL. */
  window(key: string): ReadonlyMap<number, unknown> {
    return (this.#sessions.get(key) ?? this.#passing.get(key))?.incoming ?? noWindow
  }

  addIncoming(key: string, messageId: number, packet: unknown): void {
    let session = this.#sessions.get(key) ?? this.#passing.get(key)
    if (session === undefined) this.#passing.set(key, (session = newSession(undefined, key)))
    session.incoming.set(messageId, packet)
    const { number } = session
    if (number !== undefined) this.journal.put(incomingKey(number, messageId), nothing)
  }

  removeIncoming(key: string, messageId: number): boolean {
    const session = this.#sessions.get(key) ?? this.#passing.get(key)
    if (session?.incoming.delete(messageId) !== true) return false
    if (session.number !== undefined) this.journal.del(incomingKey(session.number, messageId))
    else if (session.incoming.size === 0) this.#passing.delete(key)
    return true
  }

  clearIncoming(key: string): void {
    for (const messageId of this.window(key).keys()) this.removeIncoming(key, messageId)
  }

  /**
   * Takes over responsibility for a message, in one piece: it waits for every session that is to get it, is retained if
   * it is to be, and its packet identifier is known. Resolves when that is safe, to `void` or `full` when nobody is to hear of it: it is not true any more,
   * or there is no room for it among the retained ones. Undefined: it is safe already, or nobody has to wait, because nothing will
   * be acknowledged (QoS 0). Rejects with BrokerError `store-failed`; the message may be delivered nevertheless.
   */
  accept(publication: Publication): Promise<unknown> | undefined {
    const { topic, payload, qos, retain, owner, incoming, settles } = publication
    const receivers = qos === 0 ? [] : this.receivers(publication)
    // A copy: what came from the wire is a view of up to 64 KiB, which a single reading would hold for days.
    const kept = retain || receivers.length > 0 ? Buffer.from(payload) : payload
    const message: Message = { topic, payload: kept, qos, time: this.now() }
    const shared = receivers.length > 1 ? this.#share(message) : undefined
    for (const [session, granted] of receivers) {
      this.queues.enqueue(session, message, { qos: granted < qos ? granted : (qos as 1 | 2), shared })
    }
    if (shared?.waiting === 0) this.forgetShared(shared)
    if (retain) this.retained.set({ message, owner: owner && ownerName(owner) })
    if (incoming !== undefined) this.addIncoming(incoming.key, incoming.messageId, undefined)
    if (settles !== undefined) this.wills.settle(settles)
    // Nobody is promised what the broker says of itself: presence, which is said anew after a restart.
    if (qos === 0 || (owner === undefined && receivers.length === 0)) return undefined
    // Also when nothing was written: what comes after another message is acknowledged and delivered after it [MQTT-4.6.0-6].
    const safe = this.journal.flushed()
    if (receivers.length === 0) return safe
    const wake = (): void => {
      for (const [session] of receivers) session.wake?.()
    }
    if (safe === undefined) wake()
    return safe?.then(wake)
  }

  /** Nobody waits for a shared message. Returns 1, for the count. */
  forgetShared({ sequence }: SharedMessage): 1 {
    this.journal.del(sharedKey(sequence))
    return 1
  }

  /** Gives a message to one session: a retained one, in answer to its SUBSCRIBE. Undefined: it is in the queue. */
  enqueue(session: StoredSession, message: Message, qos: 1 | 2): Promise<unknown> | undefined {
    this.queues.enqueue(session, message, { qos, retain: true })
    const safe = this.journal.flushed()
    if (safe === undefined) session.wake?.()
    // On a failure: when the store has recovered.
    else
      safe.then(
        () => session.wake?.(),
        () => undefined,
      )
    return undefined
  }

  /** What could not be sent while the store was failing can be now. */
  wakeAll(): void {
    for (const session of this.#sessions.values()) session.wake?.()
  }

  /** Drops what has waited too long, and ends sessions whose clients have not come back. To be called now and then. */
  sweep(): void {
    const oldest = this.now() - this.limits.sessionExpiryMs
    for (const session of this.#sessions.values()) {
      if (session.leftMs !== undefined && session.leftMs < oldest) {
        this.counts.drop('session-expired', this.discard(session.key))
      } else this.queues.dropAged(session)
    }
  }

  /** The sessions that a message is to wait for, and at which quality of service. */
  protected receivers({ topic, mayQueue }: Publication): [StoredSession, 1 | 2][] {
    const matching = this.filters.match(topic)
    if (matching.length === 0) return []
    const best = new Map<StoredSession, 1 | 2>()
    for (const { session, options } of matching) {
      const known = best.get(session)
      if (known === undefined ? mayQueue(session) : known < options.qos)
        best.set(session, options.qos as 1 | 2)
    }
    return [...best]
  }

  #count({ owner }: StoredSession, sessions: 1 | -1): void {
    if (owner === undefined) return
    const name = ownerName(owner)
    const count = (this.#perOwner.get(name) ?? 0) + sessions
    if (count > 0) this.#perOwner.set(name, count)
    else this.#perOwner.delete(name)
  }

  #share(message: Message): SharedMessage {
    const sequence = this.queues.nextSequence++
    this.journal.put(sharedKey(sequence), encodeMessage(message))
    return { sequence, waiting: 0 }
  }

  /** Subscriptions with QoS 0 are of no concern here: nothing waits for them. */
  #listen(subscription: Subscription): void {
    const { topic, session, options } = subscription
    if (options.qos > 0) this.filters.set(topic, session, subscription)
  }

  #ignore({ topic, session }: Subscription): void {
    this.filters.delete(topic, session)
  }
}

const nothing = Buffer.alloc(0)
const noWindow: ReadonlyMap<number, unknown> = new Map()
