import { clientTlsOptions, type KeyAndCertificate, type TlsMode } from '@fleetroot/tls-config'
import type { DataDirectory, Logger } from '@fleetroot/service'
import type { Issuers } from '../admission/peer.ts'
import type { BrokerError } from '../error.ts'
import { RevocationCopy } from './copy.ts'
import { EventCursor } from './event-cursor.ts'
import type { ServerSentEvent } from './event-stream.ts'
import { Feed } from './feed.ts'
import { Lists } from './lists.ts'
import { readEvent, type RegistryEvent, type UnreadableEvent } from './registry-event.ts'
import type { Revocation } from './revocation.ts'

/** Where revocation data comes from and where it goes. */
export interface FollowOptions {
  readonly revocation: Revocation
  readonly issuers: Issuers
  /** `https://host:port` of the enrollment server. */
  readonly url: string
  /** The pinned root, PEM. */
  readonly root: string
  readonly mode: TlsMode
  /** The broker's own identity, asked for every connection. */
  readonly identity: () => KeyAndCertificate
  readonly data: DataDirectory
  readonly log: Logger
  /** Milliseconds since 1970. */
  readonly now?: () => number
  readonly timing?: Partial<FollowTiming>
}

/** How often and how long, in milliseconds. */
export interface FollowTiming {
  /** Between polls of the lists while the stream is open; a third of the time that may pass is random. */
  readonly pollMs: number
  /** The same while it is not. */
  readonly cutOffPollMs: number
  /** Before a poll that failed, or that left events missing, is repeated. */
  readonly repeatPollMs: number
  /** Silence after which the stream is taken for broken. */
  readonly silenceMs: number
}

const defaultTiming: FollowTiming = {
  pollMs: 60_000,
  cutOffPollMs: 5_000,
  repeatPollMs: 1_000,
  silenceMs: 15_000,
}

/** Changes that are in no list yet at which the lists are polled before it is their turn. */
const changesPerPoll = 1_000

/** What the follower has met with so far. */
export interface FollowCounts {
  readonly events: number
  readonly repeated: number
  readonly gaps: number
  readonly unreadable: number
  readonly polls: number
  readonly failures: number
  readonly lastEventId: number | undefined
  readonly isConnected: boolean
}

/** A follower at work. */
export interface Follower {
  readonly counts: () => FollowCounts
  /**
   * Resolves when there is something to go by, from the copy on disk or from the server, or when the server was
   * asked in vain once: whoever waits for more asks the `Revocation`.
   */
  readonly settled: Promise<void>
  readonly close: () => Promise<void>
}

/**
 * Keeps a `Revocation` up to date: the copy on disk first, then the event stream, which tells of a revocation at
 * once, and the signed lists, polled at the start, after every reconnect, whenever an event was missed, and on
 * a schedule. The lists are the truth; the stream is only faster.
 */
export async function followRevocation(options: FollowOptions): Promise<Follower> {
  const { revocation, url, log, now = Date.now } = options
  const timing = { ...defaultTiming, ...options.timing }
  const copy = new RevocationCopy(options.data, (error) =>
    log.error({ err: error }, 'cannot keep revocation data on disk'),
  )
  const tls = (identity?: KeyAndCertificate) =>
    clientTlsOptions({ trust: [options.root], mode: options.mode, ...(identity && { identity }) })
  const lists = new Lists({ ...options, now, tls: () => tls(), copy })
  const settled = Promise.withResolvers<void>()
  const stop = new AbortController()
  const tally = { events: 0, repeated: 0, gaps: 0, unreadable: 0, polls: 0, failures: 0 }
  const trouble = new Trouble(log)

  const kept = await copy.read()
  if (kept !== undefined) await lists.restore(kept.snapshot, kept.ders)
  const cursor = new EventCursor(revocation.set.isComplete ? kept?.snapshot.cursor : undefined)
  if (revocation.set.isComplete) settled.resolve()

  const save = (): void =>
    copy.save(() => ({
      cursor: cursor.isWhole ? cursor.upTo : revocation.set.listsUpTo,
      confirmedMs: revocation.staleness.confirmedMs,
      lists: lists.records,
      denials: [...revocation.set.pending()],
    }))

  let feed: Feed | undefined
  let timer: NodeJS.Timeout | undefined
  let isReset = false
  let polling: Promise<void> | undefined
  let isWanted = false

  /** Polls now, or once more when the poll under way is done: what that one asked for may be too old. */
  function poll(): void {
    if (stop.signal.aborted) return
    isWanted = true
    polling ??= pollWhileWanted().finally(() => (polling = undefined))
  }

  async function pollWhileWanted(): Promise<void> {
    while (isWanted && !stop.signal.aborted) {
      isWanted = false
      clearTimeout(timer)
      const isDone = await pollOnce()
      settled.resolve()
      // Not before there is a number to resume after: without one the stream begins with whatever comes next.
      if (!stop.signal.aborted) feed ??= follow()
      clearTimeout(timer)
      const regular = feed?.isOpen === true ? timing.pollMs : timing.cutOffPollMs
      const waitMs = isDone && cursor.isWhole ? regular * (2 / 3 + Math.random() / 3) : timing.repeatPollMs
      if (!stop.signal.aborted) timer = setTimeout(poll, waitMs)
    }
  }

  async function pollOnce(): Promise<boolean> {
    const startedMs = now()
    const wasReset = isReset
    isReset = false
    tally.polls += 1
    const { failure, areCurrent } = await lists.poll(stop.signal, { isUnconditional: wasReset })
    if (stop.signal.aborted) return false
    if (failure !== undefined) {
      isReset ||= wasReset
      tally.failures += 1
      trouble.met('lists', failure)
      return false
    }
    trouble.over('lists', 'the revocation lists are fetched again')
    const upTo = revocation.set.listsUpTo
    // A reset that came while this poll was under way wants lists that were asked for after it.
    if (upTo !== undefined && !isWanted) cursor.polled(upTo)
    if (areCurrent && cursor.isWhole) revocation.confirm(startedMs)
    save()
    return true
  }

  function receive({ id, type, data }: ServerSentEvent): void {
    if (type === 'reset') {
      log.warn('the enrollment server no longer has the events since ours: fetching the revocation lists')
      tally.gaps += 1
      cursor.reset()
      if (/^\d{1,15}$/.test(id)) cursor.miss(Number(id))
      isReset = true
      return poll()
    }
    const event = readEvent(id, type, data)
    tally.events += 1
    if ('problem' in event) return skip(event)
    const position = cursor.take(event.id)
    if (position === 'repeated') return void (tally.repeated += 1)
    if (position === 'gap') {
      tally.gaps += 1
      log.warn({ eventId: event.id, after: cursor.upTo }, 'events are missing: fetching the revocation lists')
      poll()
    }
    return apply(event)
  }

  /** An event that cannot be read may have revoked anything. */
  function skip({ id, problem }: UnreadableEvent): void {
    tally.unreadable += 1
    log.error({ eventId: id, problem }, 'an event cannot be read: fetching the revocation lists')
    if (id !== undefined && cursor.take(id) !== 'repeated') cursor.miss(id)
    poll()
  }

  function apply(event: RegistryEvent): void {
    revocation.apply(event)
    if (event.effect === 'none') return
    const { id, type, deviceId, certificates } = event
    const level = event.effect === 'resumed' ? 'info' : 'warn'
    log[level]({ eventId: id, type, deviceId, certificates }, `${type}: applied`)
    // What no list includes is written again with every event: after so many it is time for a list.
    if (revocation.set.changed % changesPerPoll === 0) poll()
    save()
  }

  function follow(): Feed {
    return new Feed({
      url,
      tls: () => tls(options.identity()),
      resumeAfter: () => (cursor.isWhole ? cursor.upTo : revocation.set.listsUpTo),
      silenceMs: timing.silenceMs,
      onOpen: () => {
        trouble.over('stream', 'the event stream is connected')
        poll()
      },
      onAlive: () => {
        if (cursor.isWhole) revocation.confirm(now())
      },
      onEvent: receive,
      onBroken: (reason) => {
        tally.failures += 1
        trouble.met('stream', reason)
      },
    })
  }
  if (cursor.upTo !== undefined) feed = follow()
  poll()

  return {
    counts: () => ({ ...tally, lastEventId: cursor.upTo, isConnected: feed?.isOpen === true }),
    settled: settled.promise,
    close: async () => {
      stop.abort()
      feed?.close()
      clearTimeout(timer)
      await polling
      save()
      await copy.flushed()
    },
  }
}

/** Logs trouble when it begins, changes or is over, not each time that it is met again. */
class Trouble {
  readonly #log: Logger
  readonly #known = new Map<string, string>()

  constructor(log: Logger) {
    this.#log = log
  }

  met(what: 'stream' | 'lists', { code, message }: BrokerError): void {
    if (this.#known.get(what) === code) return
    this.#known.set(what, code)
    this.#log.warn({ reason: code, detail: message }, `revocation ${what}: no contact`)
  }

  over(what: 'stream' | 'lists', sentence: string): void {
    if (this.#known.delete(what)) this.#log.info(sentence)
  }
}
