import {
  clientTlsOptions,
  enrollmentServer,
  type KeyAndCertificate,
  type TlsMode,
} from '@fleetroot/tls-config'
import type { DataDirectory, Logger } from '@fleetroot/service'
import type { FollowedAuthorities } from '../authorities/followed.ts'
import { AwaitedRelease } from './awaited-release.ts'
import { RevocationCopy } from './copy.ts'
import { EventCursor } from './event-cursor.ts'
import type { ServerSentEvent } from './event-stream.ts'
import { Feed } from './feed.ts'
import { FreshAuthorities } from './fresh-authorities.ts'
import { Lists } from './lists.ts'
import { Poller } from './poller.ts'
import { authoritiesEvent, readEvent, type RegistryEvent, type UnreadableEvent } from './registry-event.ts'
import type { Revocation } from './revocation.ts'
import { defaultTiming, type FollowTiming } from './timing.ts'
import { Trouble } from './trouble.ts'

/** Where revocation data comes from and where it goes. */
export interface FollowOptions {
  readonly revocation: Revocation
  readonly authorities: FollowedAuthorities
  /** `https://host:port` of the enrollment server. */
  readonly url: string
  readonly mode: TlsMode
  /** The broker's own identity, asked for every connection. */
  readonly identity: () => KeyAndCertificate
  readonly data: DataDirectory
  readonly log: Logger
  /** Milliseconds since 1970. */
  readonly now?: () => number
  readonly timing?: Partial<FollowTiming>
}

/** Changes that are in no list yet at which the lists are polled before it is their turn. */
const changesPerPoll = 1_000

/** What the follower has met with so far. */
export interface FollowCounts {
  readonly events: number
  readonly repeated: number
  readonly gaps: number
  readonly unreadable: number
  /** Looks at the lists that are done, in vain or not. */
  readonly polls: number
  readonly failures: number
  readonly lastEventId: number | undefined
  readonly isConnected: boolean
}

/**
 * Starts to keep a `Revocation` up to date: the copy on disk first, then the event stream, which tells of a revocation
 * at once, and the signed lists, polled at the start, after every reconnect, whenever an event was missed, and on
 * a schedule. The lists are the truth; the stream is only faster. Before each look at the lists come the CAs whose
 * lists they are: one that is introduced gets its list, and one that is retired takes its sessions with it.
 */
export async function followRevocation(options: FollowOptions): Promise<Follower> {
  const { revocation, data, log, now = Date.now } = options
  const copy = new RevocationCopy(data, (error) =>
    log.error({ err: error }, 'cannot keep revocation data on disk'),
  )
  const { authorities, mode } = options
  const tls = () => clientTlsOptions({ trust: authorities.trust, mode, server: enrollmentServer })
  const lists = new Lists({ ...options, authorities: () => authorities.current, now, tls, copy })
  const kept = await copy.read()
  if (kept !== undefined) await lists.restore(kept.snapshot, kept.ders)
  const cursor = new EventCursor(revocation.set.isComplete ? kept?.snapshot.cursor : undefined)
  return new Follower(options, { copy, lists, cursor })
}

/** A follower at work. Made by `followRevocation`. */
export class Follower {
  /**
   * Resolves when there is something to go by, from the copy on disk or from the server, or when the server was
   * asked in vain once: whoever waits for more asks the `Revocation`.
   */
  readonly settled: Promise<void>
  readonly #options: FollowOptions
  readonly #timing: FollowTiming
  readonly #now: () => number
  readonly #copy: RevocationCopy
  readonly #lists: Lists
  readonly #cursor: EventCursor
  readonly #release = new AwaitedRelease()
  readonly #trouble: Trouble
  readonly #authorities: FreshAuthorities
  readonly #tally = { events: 0, repeated: 0, gaps: 0, unreadable: 0, polls: 0, failures: 0 }
  readonly #stop = new AbortController()
  readonly #poller: Poller
  readonly #settle: () => void
  #feed: Feed | undefined
  /** The next poll must not be conditional: what the server says of a list may be another thing now. */
  #isReset = false

  constructor(options: FollowOptions, parts: { copy: RevocationCopy; lists: Lists; cursor: EventCursor }) {
    this.#options = options
    this.#timing = { ...defaultTiming, ...options.timing }
    this.#now = options.now ?? Date.now
    this.#copy = parts.copy
    this.#lists = parts.lists
    this.#cursor = parts.cursor
    this.#trouble = new Trouble(options.log)
    this.#authorities = new FreshAuthorities(options.authorities)
    const { promise, resolve } = Promise.withResolvers<void>()
    this.settled = promise
    this.#settle = resolve
    if (options.revocation.set.isComplete) resolve()
    this.#poller = new Poller(() => this.#poll())
    options.authorities.subscribe((next) => {
      options.revocation.setIssuers(next)
      this.#lists.retain()
      // A new one has no list yet.
      this.#poller.poll()
    })
    if (this.#cursor.upTo !== undefined) this.#feed = this.#openFeed()
    this.#poller.poll()
  }

  counts(): FollowCounts {
    const isConnected = this.#feed?.isOpen === true
    return { ...this.#tally, lastEventId: this.#cursor.upTo, isConnected }
  }

  /** Stops following; resolves when all that is to be kept is on the disk. */
  async close(): Promise<void> {
    this.#stop.abort()
    this.#trouble.close()
    this.#feed?.close()
    await this.#poller.close()
    this.#save()
    await this.#copy.flushed()
  }

  /** Looks at the lists, and says when to look again. */
  async #poll(): Promise<number> {
    const isDone = await this.#pollOnce()
    this.#settle()
    const { pollMs, cutOffPollMs, repeatPollMs } = this.#timing
    if (this.#stop.signal.aborted) return repeatPollMs
    // Not before there is a number to resume after: without one the stream begins with whatever comes next.
    this.#feed ??= this.#openFeed()
    if (!isDone || !this.#cursor.isWhole || this.#release.isAwaited) return repeatPollMs
    return (this.#feed.isOpen ? pollMs : cutOffPollMs) * (2 / 3 + Math.random() / 3)
  }

  async #pollOnce(): Promise<boolean> {
    const { revocation } = this.#options
    const startedMs = this.#now()
    const wasReset = this.#isReset
    this.#isReset = false
    const { signal } = this.#stop
    const trouble = await this.#authorities.refresh()
    if (trouble !== undefined) this.#tally.failures += 1
    const { failure, areCurrent } = await this.#lists.poll(signal, { isUnconditional: wasReset })
    this.#tally.polls += 1
    if (signal.aborted) return false
    if (trouble === undefined) this.#trouble.over('authorities', 'the CA bundle is fetched again')
    else this.#trouble.met('authorities', trouble)
    if (failure !== undefined) {
      this.#isReset ||= wasReset
      this.#tally.failures += 1
      this.#trouble.met('lists', failure)
      return false
    }
    this.#trouble.over('lists', 'the revocation lists are fetched again')
    const upTo = revocation.set.listsUpTo
    this.#release.polled(upTo)
    // What was missed while this poll was under way wants lists that were asked for after it.
    if (upTo !== undefined && !this.#poller.isWanted) this.#cursor.polled(upTo)
    if (areCurrent && this.#cursor.isWhole && trouble === undefined) revocation.confirm(startedMs)
    this.#save()
    return trouble === undefined
  }

  #openFeed(): Feed {
    const { revocation, url, authorities, mode, identity } = this.#options
    return new Feed({
      url,
      tls: () =>
        clientTlsOptions({ trust: authorities.trust, mode, server: enrollmentServer, identity: identity() }),
      resumeAfter: () => this.#known(),
      silenceMs: this.#timing.silenceMs,
      onOpen: () => {
        this.#trouble.over('stream', 'the event stream is connected')
        this.#poller.poll()
      },
      onAlive: () => {
        if (this.#cursor.isWhole && !this.#authorities.areOld) revocation.confirm(this.#now())
      },
      onEvent: (event) => this.#receive(event),
      onBroken: (reason, wasOpen) => {
        this.#tally.failures += 1
        this.#trouble.met('stream', reason)
        // From now on the lists are all there is: the next look is not left to the leisure of an open stream.
        if (wasOpen) this.#poller.poll()
      },
    })
  }

  /** The last event up to which nothing is missing. */
  #known(): number | undefined {
    return this.#cursor.isWhole ? this.#cursor.upTo : this.#options.revocation.set.listsUpTo
  }

  #receive({ id, type, data }: ServerSentEvent): void {
    const { log } = this.#options
    if (type === 'reset') {
      log.warn('the enrollment server no longer has the events since ours: fetching the revocation lists')
      this.#tally.gaps += 1
      this.#cursor.reset()
      if (/^\d{1,15}$/.test(id)) this.#cursor.miss(Number(id))
      this.#isReset = true
      return this.#poller.poll()
    }
    const event = readEvent(id, type, data)
    this.#tally.events += 1
    if ('problem' in event) return this.#skip(event)
    const position = this.#cursor.take(event.id)
    if (position === 'repeated') return this.#again(event)
    if (position === 'gap') {
      this.#tally.gaps += 1
      const after = this.#cursor.upTo
      log.warn({ eventId: event.id, after }, 'events are missing: fetching the revocation lists')
      this.#poller.poll()
    }
    if (event.type === authoritiesEvent) this.#areOld()
    this.#checkIssuers(event)
    return this.#apply(event)
  }

  /** Other CAs are trusted now: until they are known nothing counts as complete. */
  #areOld(): void {
    this.#authorities.areOld = true
    this.#poller.poll()
  }

  /** What happened to a certificate of a CA that we do not know is in its list, once we know it. */
  #checkIssuers({ id, certificates }: RegistryEvent): void {
    const { revocation, log } = this.#options
    const stranger = certificates.find(({ issuer }) => !revocation.knows(issuer))
    if (stranger === undefined) return
    log.info({ eventId: id, issuer: stranger.issuer }, 'an event of a CA that is not known yet')
    this.#cursor.miss(id)
    this.#areOld()
  }

  /** A number that was there before, or one that is wrong: then the event is news. A revocation is final and may be heard twice. */
  #again(event: RegistryEvent): void {
    this.#tally.repeated += 1
    const { id, effect } = event
    if (effect === 'none' || id <= (this.#options.revocation.set.listsUpTo ?? 0)) return
    if (effect === 'revoked') this.#options.revocation.apply(event)
    this.#poller.poll()
  }

  /** An event that cannot be read may have revoked anything. */
  #skip({ id, problem }: UnreadableEvent): void {
    this.#tally.unreadable += 1
    this.#options.log.error(
      { eventId: id, problem },
      'an event cannot be read: fetching the revocation lists',
    )
    if (id !== undefined && this.#cursor.take(id) !== 'repeated') this.#cursor.miss(id)
    this.#poller.poll()
  }

  #apply(event: RegistryEvent): void {
    const { revocation, log } = this.#options
    revocation.apply(event)
    if (event.effect === 'none') return
    const { id, type, deviceId, certificates } = event
    if (event.effect === 'resumed') {
      log.info(
        { eventId: id, type, deviceId, certificates },
        'resumed: counts when the revocation list says so',
      )
      this.#release.announced(id)
      return this.#poller.poll()
    }
    log.warn({ eventId: id, type, deviceId, certificates }, `${type}: applied`)
    // What no list includes is written again with every event: after so many it is time for a list.
    const { changed } = revocation.set
    if (changed > 0 && changed % changesPerPoll === 0) this.#poller.poll()
    this.#save()
  }

  #save(): void {
    const { revocation } = this.#options
    this.#copy.save(() => ({
      cursor: this.#known(),
      confirmedMs: revocation.staleness.confirmedMs,
      lists: this.#lists.records,
      denials: [...revocation.set.pending()],
    }))
  }
}
