import { createCrl, type Crl, CrlEntries, deltaEntries, type Issuer, type SerialNumber } from '@fleetroot/pki'
import type { IssuerId } from '../authority/ca-id.ts'
import type { Registry } from '../registry/registry.ts'
import type { CrlPublication } from '../registry/revocation-table.ts'
import { createCoalescer } from './coalescer.ts'

/** A list as it is served. */
export interface PublishedCrl {
  readonly crl: Crl
  /** How many certificates are on it. */
  readonly size: number
  /** The newest event that it includes. */
  readonly eventId: number
}

/** The newest lists of one issuing CA. */
export interface CrlPublisher {
  readonly issuer: IssuerId
  complete(): PublishedCrl
  /** What changed since an older complete list; undefined while the complete one is small. */
  delta(): PublishedCrl | undefined
  /** Somebody was revoked, held or released: a new list follows at once, or soon after the one before. */
  changed(): void
  /** Resolves when a new list is out, for the schedule. */
  renew(): Promise<void>
  close(): Promise<void>
}

/** What a publisher works with. */
export interface PublisherOptions {
  readonly issuer: IssuerId
  readonly authority: Issuer
  readonly registry: Pick<Registry, 'startCrl' | 'lapsedRevocations'>
  readonly now: () => Date
  /** From thisUpdate to nextUpdate: longer than the schedule's interval, so that lists overlap. */
  readonly lifetimeMs: number
  /** From how many entries on there is a delta. */
  readonly deltaFrom: number
  readonly deltaUrl: string
  readonly onError: (error: unknown) => void
}

/**
 * How long a certificate stays on the lists after it has expired by our clock, in milliseconds: a broker whose clock is
 * behind ours takes it for valid that much longer.
 */
const keptMs = 3_600_000

/** Under a storm of revocations a list is made this often; the events of each go out at once. */
const apartMs = 100

/**
 * Makes the first list of an issuing CA and keeps it new. Entries are kept encoded, so that one more revocation
 * costs its own encoding, a copy and a signature, however many there are. Numbers come from the registry: they
 * grow over restarts and over processes.
 */
export async function openCrlPublisher(options: PublisherOptions): Promise<CrlPublisher> {
  const { issuer, authority, registry, now, lifetimeMs, deltaFrom, deltaUrl, onError } = options
  let entries = new CrlEntries()
  let prunedMs = 0
  let prunedEventId = 0
  // What changed since the base of the delta, and since the schedule's last list, which is the next base.
  let base: { number: bigint; changed: Set<SerialNumber> } | undefined
  let nextBase: { number: bigint; changed: Set<SerialNumber> } | undefined
  let published: (CrlPublication & { complete: PublishedCrl; delta: PublishedCrl | undefined }) | undefined

  function apply({ changes }: Awaited<ReturnType<Registry['startCrl']>>): void {
    for (const { serial, reason, revokedAtMs } of changes) {
      base?.changed.add(serial)
      nextBase?.changed.add(serial)
      if (reason) {
        entries.set({ serial, reason, revokedAt: new Date(revokedAtMs) })
      } else {
        entries.delete(serial)
      }
    }
  }

  /** The first list of changes is everything, and sorted at once faster than one by one. */
  function load({ changes }: Awaited<ReturnType<Registry['startCrl']>>): void {
    entries = new CrlEntries(
      changes.flatMap(({ serial, reason, revokedAtMs }) =>
        reason ? [{ serial, reason, revokedAt: new Date(revokedAtMs) }] : [],
      ),
    )
  }

  /** A clock that is set back says that less has expired than a list from before said. */
  const expiredBy = (atMs: number): number => Math.min(atMs, now().getTime()) - keptMs

  /** Takes in what was left out as expired while the clock was ahead. */
  function reload(started: Awaited<ReturnType<Registry['startCrl']>>): void {
    const before = entries
    load(started)
    for (const { serial } of started.changes) {
      if (before.has(serial)) continue
      base?.changed.add(serial)
      nextBase?.changed.add(serial)
    }
    prunedMs = 0
    prunedEventId = 0
  }

  async function make(): Promise<void> {
    const nowMs = expiredBy(Number.POSITIVE_INFINITY)
    const isSetBack = nowMs < prunedMs
    const started = await registry.startCrl({
      issuer,
      after: isSetBack ? 0 : (published?.eventId ?? 0),
      nowMs,
      ...(published && { published: { atMs: expiredBy(published.atMs), eventId: published.eventId } }),
    })
    if (isSetBack) reload(started)
    else if (published) apply(started)
    else load(started)
    const thisUpdate = now()
    const number = BigInt(started.number)
    const common = {
      issuer: authority,
      number,
      thisUpdate,
      nextUpdate: new Date(thisUpdate.getTime() + lifetimeMs),
    }
    const hasDelta = entries.size >= deltaFrom
    const { size } = entries
    const complete = await createCrl({ ...common, entries, ...(hasDelta && { freshestCrlUrl: deltaUrl }) })
    const changes = deltaEntries(entries, base?.changed ?? new Set(), thisUpdate)
    const delta =
      hasDelta && base ? await createCrl({ ...common, baseNumber: base.number, entries: changes }) : undefined
    const { eventId } = started
    published = {
      atMs: complete.thisUpdate.getTime(),
      eventId,
      complete: { crl: complete, size, eventId },
      delta: delta && { crl: delta, size: changes.size, eventId },
    }
  }

  /** Takes out certificates that a list has named after they expired (RFC 5280, section 3.3). */
  async function prune({ atMs, eventId }: CrlPublication): Promise<void> {
    const lapsed = await registry.lapsedRevocations({
      issuer,
      fromMs: prunedMs,
      fromEventId: prunedEventId,
      atMs: expiredBy(atMs),
      eventId,
    })
    for (const serial of lapsed) entries.delete(serial)
    prunedMs = Math.max(prunedMs, expiredBy(atMs))
    prunedEventId = eventId
  }

  const coalescer = createCoalescer(make, { apartMs, onError })
  await coalescer.run()
  const current = () => {
    // The first run has made one, or has thrown.
    if (!published) throw new Error('no CRL was made')
    return published
  }
  const rebase = (): void => {
    base = nextBase
    nextBase = { number: current().complete.crl.number, changed: new Set() }
  }
  rebase()
  rebase()
  // A large list names its delta: there must be one from the beginning.
  if (entries.size >= deltaFrom) await coalescer.run()

  return {
    issuer,
    complete: () => current().complete,
    delta: () => current().delta,
    changed: () => coalescer.request(),
    renew: async () => {
      await prune(current())
      await coalescer.run()
      rebase()
    },
    close: () => coalescer.close(),
  }
}
