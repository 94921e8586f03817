import { BrokerError } from '../error.ts'
import type { PeerObserver } from '../store/peers.ts'
import { decodeMessage, type Message } from '../store/message.ts'
import { retainedOwner } from '../store/retained.ts'
import type { Store } from '../store/store.ts'
import type { StoredSession } from '../store/stored-session.ts'
import { HeldSessions } from './held-sessions.ts'
import type { LogEntry } from './log.ts'
import type { RedisNode } from './node.ts'
import type { RedisJournal } from './redis-journal.ts'
import { decodeFilter, decodeOwner } from './shared-session.ts'

/** Where a message was put: session, sequence number, packet identifier, delivery (its octet in a record), what was dropped for it. */
type Place = [string, number, number, number, number[] | object]

const scanCount = 1_000

/** What all nodes know, as this one knows it: it follows the log, from what there was when the node began. */
export class Image {
  readonly held = new HeldSessions()
  readonly prefix: string
  readonly logKey: string
  readonly journal: RedisJournal
  observer: PeerObserver | undefined
  /** Of the last change that decides who receives a message. */
  version = 0
  readonly #node: () => RedisNode
  readonly #store: () => Store
  #toWake = new Set<StoredSession>()
  #reaching: { version: number; resolve: () => void; reject: (why: unknown) => void }[] = []
  readonly #freed = new Map<string, PromiseWithResolvers<void>>()

  constructor(prefix: string, journal: RedisJournal, node: () => RedisNode, store: () => Store) {
    this.prefix = prefix
    this.logKey = `${prefix}:log`
    this.journal = journal
    this.#node = node
    this.#store = store
  }

  /** Resolves when everything up to this version is known. */
  reach(version: number): Promise<void> {
    if (this.version >= version) return Promise.resolve()
    const { failure } = this.#node()
    if (failure !== undefined) return Promise.reject(failure)
    return new Promise((resolve, reject) => this.#reaching.push({ version, resolve, reject }))
  }

  /** Nothing more will be known for now. */
  abandon(why: unknown): void {
    for (const { reject } of this.#reaching.splice(0)) reject(why)
  }

  /** This node has changed the version itself: it knows all when it did before. */
  advance(before: number, after: number): void {
    if (this.version === before) this.#know(after)
  }

  /** Resolves when another node has let go of this session, or has died; and when nobody waits any more. */
  freed(key: string): Promise<void> {
    const waiting = this.#freed.get(key) ?? Promise.withResolvers<void>()
    this.#freed.set(key, waiting)
    return waiting.promise
  }

  /** Whoever waits for this session waits no more. */
  free(key: string): void {
    this.#freed.get(key)?.resolve()
    this.#freed.delete(key)
  }

  /** Forgets everything, and reads what there is; the log goes on from before that. */
  async load(version: number): Promise<void> {
    const store = this.#store()
    for (const session of store.sessions.values()) {
      session.number = undefined
      store.discard(session.key)
    }
    store.retained.clear()
    store.wills.takeLeft()
    this.held.clear()
    this.journal.forget()
    this.abandon(new BrokerError('store-failed', 'the node begins anew'))
    this.version = version
    for await (const sessions of this.#scan('sessions'))
      await Promise.all(sessions.map(([key, owner]) => this.#loadSession(key.toString(), owner)))
    for await (const messages of this.#scan('retained')) {
      for (const [, record] of messages) {
        const { owner, prefix } = retainedOwner(record)
        store.retained.restore({ message: decodeMessage(record, prefix), owner })
      }
    }
  }

  onEntry(entry: LogEntry): void {
    const type = entry.get('t')!.toString()
    const isOwn = entry.get('n')!.toString() === this.#node().id
    if (type === 'message') return this.#takeMessage(entry, isOwn)
    const key = entry.get('k')!.toString()
    if (type === 'session' || type === 'filter' || type === 'end') {
      if (!isOwn && type === 'session') this.#takeOwner(key, entry.get('d')!)
      if (!isOwn && type === 'filter')
        this.#takeFilter(key, entry.get('f')!.toString(), entry.get('d')!.toString())
      if (!isOwn && type === 'end') this.#store().discard(key)
      this.#know(Number(entry.get('v')))
    } else if (type === 'ask') {
      if (entry.get('h')!.toString() !== this.#node().id) return
      if (this.observer?.onAsked(key) !== true) this.journal.add('free', key)
    } else if (type === 'free') this.free(key)
    else if (type === 'dead') for (const waiting of this.#freed.keys()) this.free(waiting)
  }

  /** All entries that were there have been told. */
  onPause(): void {
    const sessions = this.#toWake
    this.#toWake = new Set()
    for (const session of sessions) session.wake?.()
  }

  #takeMessage(entry: LogEntry, isOwn: boolean): void {
    const store = this.#store()
    const flags = entry.get('f')!.toString()
    const message = decodeMessage(entry.get('b')!)
    const isLive = flags.includes('l')
    const retain = flags.includes('r')
    if (isLive && retain) {
      const owner = entry.get('o')!.toString()
      store.retained.set({ message, owner: owner === '' ? undefined : owner })
    }
    for (const place of JSON.parse(entry.get('r')!.toString()) as Place[]) this.#place(message, place)
    if (isLive && !isOwn) this.observer?.onMessage({ ...message, retain })
  }

  #place(message: Message, [key, sequence, messageId, delivery, dropped]: Place): void {
    const session = this.held.place(this.#store(), key, {
      sequence,
      messageId,
      message,
      qos: (delivery & 3) as 1 | 2,
      retain: (delivery & 4) !== 0,
      // An empty list is an empty object in Lua.
      dropped: Array.isArray(dropped) ? dropped : [],
    })
    if (session !== undefined) this.#toWake.add(session)
  }

  async #loadSession(key: string, owner: Buffer): Promise<void> {
    const filters = (await this.#node().main.callBuffer(
      'HGETALL',
      `${this.prefix}:filters:${key}`,
    )) as Buffer[]
    this.#takeOwner(key, owner)
    for (let n = 0; n < filters.length; n += 2)
      this.#takeFilter(key, filters[n]!.toString(), filters[n + 1]!.toString())
  }

  #takeOwner(key: string, record: Buffer): void {
    const store = this.#store()
    const session = decodeOwner(key, record)
    for (const [topic, { options }] of store.sessions.get(key)?.subscriptions ?? [])
      session.subscriptions.set(topic, { session, topic, options })
    store.discard(key)
    store.restore(session)
  }

  #takeFilter(key: string, topic: string, record: string): void {
    const store = this.#store()
    const session = store.sessions.get(key)
    // It has ended meanwhile: that comes later in the log.
    if (session === undefined) return
    const options = decodeFilter(record)
    if (options === undefined) store.unsubscribe(session, topic)
    else store.subscribe(session, topic, options)
  }

  #know(version: number): void {
    this.version = Math.max(this.version, version)
    const reached = this.#reaching.filter((each) => each.version <= this.version)
    if (reached.length === 0) return
    this.#reaching = this.#reaching.filter((each) => each.version > this.version)
    for (const { resolve } of reached) resolve()
  }

  async *#scan(name: string): AsyncGenerator<(readonly [Buffer, Buffer])[], void, undefined> {
    let cursor = '0'
    do {
      const answer = await this.#node().main.callBuffer(
        'HSCAN',
        `${this.prefix}:${name}`,
        cursor,
        'COUNT',
        scanCount,
      )
      const [next, words] = answer as [Buffer, Buffer[]]
      yield Array.from({ length: words.length / 2 }, (_, n) => [words[2 * n]!, words[2 * n + 1]!] as const)
      cursor = next.toString()
    } while (cursor !== '0')
  }
}
