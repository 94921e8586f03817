import type { Logger } from '@fleetroot/service'
import type { BrokerError } from '../error.ts'
import type { StoreCounts } from '../store/counts.ts'
import type { StoreLimits } from '../store/limits.ts'
import { decodeWill } from '../store/wills.ts'
import { Image } from './image.ts'
import { Live } from './live.ts'
import { RedisNode } from './node.ts'
import { RedisBudget } from './redis-budget.ts'
import { RedisJournal } from './redis-journal.ts'
import type { RedisAddress } from './redis-setting.ts'
import { RedisStore } from './redis-store.ts'

/** How to open a store in Redis. */
export interface OpenRedisStoreOptions {
  readonly address: RedisAddress
  readonly limits?: Partial<StoreLimits>
  /** Messages sent to one session and not acknowledged, at most. */
  readonly maxUnacknowledged: number
  readonly counts: StoreCounts
  readonly log: Logger
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** After this long without a sign of life a node is dead to the others, in milliseconds. */
  readonly timeoutMs: number
  /** Bytes of the log that the slowest node may be behind. */
  readonly maxBehindBytes: number
  /** Hears why nothing can be kept (the first time: not yet), and when it can be (undefined). */
  readonly onHealth: (failure: BrokerError | undefined) => void
}

/** A store in Redis that is open. */
export interface OpenedRedisStore {
  readonly store: RedisStore
  /** Resolves when the store is read for the first time, and can be written. */
  readonly ready: Promise<void>
  /** Writes what is left and says good-bye to the other nodes. */
  readonly close: () => Promise<void>
}

/** Opens the store that all brokers share that name this Redis and this prefix. */
export function openRedisStore(options: OpenRedisStoreOptions): OpenedRedisStore {
  const { address, limits, counts, log, now, timeoutMs, maxBehindBytes, maxUnacknowledged, onHealth } =
    options
  const first = Promise.withResolvers<void>()
  const journal = new RedisJournal({
    counts,
    write: (words) => node.insist('write', words),
    failure: () => node.failure,
    onFailure: (cause) => node.fail(cause),
    onWritten: (before, after) => image.advance(before, after),
  })
  const image: Image = new Image(
    address.prefix,
    journal,
    () => node,
    () => store,
  )
  const node: RedisNode = new RedisNode({
    address,
    log,
    timeoutMs,
    maxBehindBytes,
    onHealth: (failure) => {
      const wasFailing = counts.isFailing
      counts.isFailing = failure !== undefined
      if (failure === undefined) {
        first.resolve()
        store.wakeAll()
      } else {
        if (!wasFailing) counts.failures += 1
        image.abandon(failure)
      }
      onHealth(failure)
    },
    member: {
      begin: (version) => image.load(version),
      resume: () => journal.resume(),
      lose: async () => {
        live.reconnect()
        await image.observer?.onLost()
      },
      onEntry: (entry) => image.onEntry(entry),
      onPause: () => image.onPause(),
      onLeft: () => void collectDebts().catch(() => undefined),
    },
  })
  const live = new Live({
    address,
    main: node.main,
    self: () => node.id,
    onMessage: (message) => image.observer?.onMessage(message),
  })
  const budget = new RedisBudget(node)
  const store: RedisStore = new RedisStore({
    budget,
    journal,
    counts,
    log,
    now,
    node,
    live,
    image,
    maxUnacknowledged,
    ...(limits === undefined ? {} : { limits }),
  })

  /** Whoever comes first pays: the script `accept` lets a debt be paid once. */
  async function collectDebts(): Promise<void> {
    if (image.observer === undefined) return
    const left = (await node.main.callBuffer('HGETALL', `${address.prefix}:left`)) as Buffer[]
    for (let n = 0; n < left.length; n += 2) {
      const name = left[n]!.toString()
      const [kind, rest = ''] = name.split(/ (.*)/s)
      if (kind === 'will') store.wills.leave(decodeWill(name, left[n + 1]!))
      else image.observer.onAbsent(rest, name)
    }
  }

  return {
    store,
    ready: first.promise,
    close: async () => {
      await journal.close()
      live.close()
      budget.close()
      await node.close()
    },
  }
}
