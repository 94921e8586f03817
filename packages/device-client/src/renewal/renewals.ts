import { DeviceClientError } from '../error.ts'
import { withCurrentChain } from '../identity/current-chain.ts'
import type { StoredIdentity } from '../identity/stored-identity.ts'
import type { Backoff } from '../retry/backoff.ts'
import { retryVerdict } from '../retry/verdict.ts'
import type { AnchorChange } from '../trust/anchors.ts'
import { renewalBackoff, renewalTime, trustLookAfterMs } from './patience.ts'
import { renewIdentity, type RenewalOptions } from './renew-identity.ts'
import { type Clock, systemClock, Timetable } from './timetable.ts'

/** Options of `createRenewals`. */
export interface RenewalsOptions {
  /** Renewals under way at once; those beyond wait their turn. Default 16. */
  maxAtOnce?: number
  /** A number in [0, 1). Default `Math.random`: jitter is no secret. */
  random?: () => number
  /** Default: the system's. */
  clock?: Clock
}

/** An identity that is to be kept valid, and who hears about it. */
export interface KeptIdentity extends Omit<RenewalOptions, 'now'> {
  identity: StoredIdentity
  /** The new identity was proven, is stored and is in use from now on. */
  onRenewed?: (identity: StoredIdentity) => void
  /** An attempt failed. The identity in use stays in use; the next attempt comes after `retryInMs`. */
  onFailure?: (error: unknown, retryInMs: number) => void
  /** A root was introduced or retired: the trust anchors of `est` are others now. */
  onTrustChanged?: (change: AnchorChange) => void
  /** `credentials-exhausted`: only a new token helps. Nothing is tried any more. */
  onExhausted?: (error: DeviceClientError) => void
}

/** One identity that is kept valid. */
export interface Renewal {
  /** The one in use. */
  readonly identity: StoredIdentity
  /** When the next attempt is due; undefined while one is under way and after the last. */
  readonly nextAt: Date | undefined
  /** No attempt begins any more, and nobody hears of one that is under way; resolves when that has ended. */
  stop(): Promise<void>
}

/** Keeps the identities of a process valid. */
export interface Renewals {
  /** Renews `kept.identity` when it is due, and every identity after it, until stopped. */
  keep(kept: KeptIdentity): Renewal
  /** Stops all; resolves when no attempt is under way any more. */
  close(): Promise<void>
}

/**
 * Renews identities at two thirds of their lives, with jitter. What fails is tried again with full jitter until
 * the certificate expires, and after that as long as the server may still allow it. Where the anchors of `est` follow
 * a rollover they are looked at before each renewal, soon after the start, and once a day. One timer and one queue
 * serve any number of identities.
 *
 * @example
 * const renewals = createRenewals()
 * renewals.keep({ est, store, identity, probe: (staged) => connection.replaceIdentity(staged) })
 */
export function createRenewals(options: RenewalsOptions = {}): Renewals {
  const { maxAtOnce = 16, random = Math.random, clock = systemClock } = options
  const timetable = new Timetable(clock)
  const kept = new Set<Keeper>()
  const queue: Keeper[] = []
  let underWay = 0

  function enqueue(keeper: Keeper): void {
    queue.push(keeper)
    work()
  }

  function work(): void {
    while (underWay < maxAtOnce) {
      const next = queue.shift()
      if (next === undefined) return
      underWay += 1
      void next.attempt().finally(() => {
        underWay -= 1
        work()
      })
    }
  }

  return {
    keep(identity) {
      const keeper: Keeper = new Keeper(identity, {
        random,
        now: () => clock.now(),
        at: (at) => timetable.at(at, () => enqueue(keeper)),
        later: (at, run) => timetable.at(at, run),
        onStop: () => kept.delete(keeper),
      })
      kept.add(keeper)
      return keeper
    },

    async close() {
      const ended = [...kept].map(async (keeper) => keeper.stop())
      timetable.clear()
      await Promise.all(ended)
    },
  }
}

/** What a keeper needs of those that it shares the process with. */
interface Shared {
  random: () => number
  now: () => number
  /** Has `attempt` called at that time; returns what cancels it. */
  at: (at: number) => () => void
  later: (at: number, run: () => void) => () => void
  onStop: () => void
}

/** Keeps one identity valid. */
class Keeper implements Renewal {
  readonly #kept: KeptIdentity
  readonly #shared: Shared
  #identity: StoredIdentity
  #backoff: Backoff
  #failures = 0
  #nextAt: number | undefined
  #cancel: () => void = () => undefined
  #cancelLook: () => void = () => undefined
  #running: Promise<void> | undefined
  #stopped = false

  constructor(kept: KeptIdentity, shared: Shared) {
    this.#kept = kept
    this.#shared = shared
    this.#identity = kept.identity
    this.#backoff = renewalBackoff(kept.identity, shared.random)
    this.#schedule(renewalTime(kept.identity, shared.random))
    if (kept.est.anchors.isLearning) this.#scheduleLook(0)
  }

  get identity(): StoredIdentity {
    return this.#identity
  }

  get nextAt(): Date | undefined {
    return this.#nextAt === undefined ? undefined : new Date(this.#nextAt)
  }

  async stop(): Promise<void> {
    this.#end()
    await this.#running
  }

  /** Never rejects. */
  async attempt(): Promise<void> {
    if (this.#stopped) return
    this.#nextAt = undefined
    this.#running = this.#renew()
    await this.#running
    this.#running = undefined
  }

  async #renew(): Promise<void> {
    const { onRenewed, onFailure, onExhausted } = this.#kept
    const { now, random } = this.#shared
    try {
      const next = await renewIdentity({ ...this.#kept, now: () => new Date(now()) }, this.#identity)
      this.#identity = next
      this.#backoff = renewalBackoff(next, random)
      this.#failures = 0
      if (this.#stopped) return
      this.#schedule(renewalTime(next, random))
      onRenewed?.(next)
    } catch (error) {
      if (this.#stopped) return
      if (error instanceof DeviceClientError && error.code === 'credentials-exhausted') {
        this.#end()
        onExhausted?.(error)
        return
      }
      const waitMs = this.#waitAfter(error)
      this.#failures += 1
      this.#schedule(now() + waitMs)
      onFailure?.(error, waitMs)
    }
  }

  /** Not beyond the end of the certificate: that is when another answer can come. */
  #waitAfter(error: unknown): number {
    const verdict = retryVerdict(error)
    const waitMs = this.#backoff(this.#failures) + (verdict.retry ? verdict.waitMs : 0)
    const untilEndMs = this.#identity.certificate.notAfter.getTime() - this.#shared.now()
    return untilEndMs > 0 ? Math.min(waitMs, untilEndMs) : waitMs
  }

  #schedule(at: number): void {
    this.#nextAt = at
    this.#cancel = this.#shared.at(at)
  }

  #scheduleLook(looks: number): void {
    const { now, random, later } = this.#shared
    const at = now() + trustLookAfterMs(looks, this.#identity, random)
    this.#cancelLook = later(at, () => void this.#lookAndGoOn(looks))
  }

  async #lookAndGoOn(looks: number): Promise<void> {
    await this.#look()
    if (!this.#stopped) this.#scheduleLook(looks + 1)
  }

  /** Never rejects: what cannot be learned now is learned the next time, at the latest before the renewal. */
  async #look(): Promise<void> {
    const { est, onTrustChanged } = this.#kept
    const before = est.anchors.pem
    const change = await est.refreshTrust({ maxAgeMs: 1_000 }).catch(() => undefined)
    if (this.#stopped || change === undefined || est.anchors.pem === before) return
    this.#identity = withCurrentChain(this.#identity, est.anchors, new Date(this.#shared.now()))
    onTrustChanged?.(change)
  }

  #end(): void {
    this.#stopped = true
    this.#nextAt = undefined
    this.#cancel()
    this.#cancelLook()
    this.#shared.onStop()
  }
}
