import { setTimeout as delay } from 'node:timers/promises'
import {
  type AppContext,
  type DataDirectory,
  formatDuration,
  type Logger,
  ServiceError,
} from '@fleetroot/service'
import { BrokerError } from '../error.ts'
import { openRedisStore } from '../redis/open-redis-store.ts'
import { redisAddress, type RedisAddress } from '../redis/redis-setting.ts'
import type { settings } from '../settings.ts'
import type { StoreCounts } from './counts.ts'
import { storeDirectories } from './directories.ts'
import type { StoreLimits } from './limits.ts'
import { openStore } from './open-store.ts'
import { Store } from './store.ts'

type Context = AppContext<typeof settings>

/** What the store of a broker needs from the process around it. */
export interface KeepStoreOptions {
  readonly config: Context['config']
  readonly data: DataDirectory
  readonly counts: StoreCounts
  readonly log: Logger
  /** Hears why the broker is unfit to serve; undefined: no longer. */
  readonly onReadiness: (check: 'store', reason: string | undefined) => void
  readonly onStop: Context['onStop']
}

/**
 * The store that the configuration asks for, open and read, until the process stops. Throws ServiceError `config` where the
 * configuration contradicts itself, and what opening it throws.
 */
export async function keepStore(options: KeepStoreOptions): Promise<Store> {
  const { config, data, counts, log, onReadiness, onStop } = options
  const address = findAddress(config)
  const limits: StoreLimits = {
    maxQueuedMessages: config.maxQueued,
    maxQueuedBytes: config.maxQueuedSize,
    maxQueuedBytesInTotal: config.maxQueuedSizeTotal,
    maxQueuedMs: config.maxQueuedAge,
    maxSessions: config.maxSessions,
    sessionExpiryMs: config.sessionExpiry,
    maxRetainedMessages: config.maxRetained,
    maxRetainedBytes: config.maxRetainedSize,
    maxRetainedBytesInTotal: config.maxRetainedSizeTotal,
  }
  const shared = { limits, counts, log, now: Date.now }
  if (address !== undefined) return keepInRedis(address, shared, options)
  if (config.store === 'memory') {
    log.warn('the store is in memory: what is acknowledged is lost when the process ends')
    onReadiness('store', undefined)
    return new Store(shared)
  }
  const { store, directory, loaded } = await openStore({
    ...shared,
    directories: await storeDirectories(config, data, log),
    onHealth: (failure) => {
      onReadiness('store', failure?.message)
      if (failure === undefined) log.warn({ directory }, 'the store can be written again')
      else log.error({ directory, err: failure }, 'the store cannot be written; nothing is acknowledged')
    },
  })
  onStop('store', () => store.journal.close())
  const wasKilled = loaded.interrupted > 0 || loaded.wills > 0
  if (wasKilled)
    log.warn(
      { directory, ...loaded },
      'store open; the broker before was killed, and nothing acknowledged is lost',
    )
  else log.info({ directory, ...loaded }, 'store open')
  onReadiness('store', undefined)
  return store
}

async function keepInRedis(
  address: RedisAddress,
  shared: { limits: StoreLimits; counts: StoreCounts; log: Logger; now: () => number },
  { config, log, onReadiness, onStop }: KeepStoreOptions,
): Promise<Store> {
  const { url: redis, prefix } = address
  let failure: BrokerError | undefined
  let isOpen = false
  const { store, ready, close } = openRedisStore({
    ...shared,
    address,
    maxUnacknowledged: config.maxUnacknowledged,
    timeoutMs: config.redisNodeTimeout,
    maxBehindBytes: config.redisLogSize,
    onHealth: (next) => {
      const isNews = !isOpen || failure === undefined
      failure = next
      onReadiness('store', next?.message)
      // Once it is open the log says when it began and when it was over; the reason of each moment is in readiness.
      if (next !== undefined && !isNews) return
      if (next !== undefined)
        log.error({ redis, err: next }, 'the store cannot be written; nothing is acknowledged')
      else if (isOpen) log.warn({ redis }, 'the store can be written again')
    },
  })
  onStop('store', close)
  const tooLate = delay(config.wait, undefined, { ref: false }).then(() => {
    const reason = failure?.message ?? `no answer from Redis at ${redis}`
    throw new BrokerError('store-failed', `${reason} (waited ${formatDuration(config.wait)})`)
  })
  await Promise.race([ready, tooLate])
  isOpen = true
  const { sessions, retained } = shared.counts
  log.info({ redis, prefix, sessions, retained }, 'store open')
  return store
}

function findAddress(config: Context['config']): RedisAddress | undefined {
  const { store, storePath } = config
  const address = redisAddress(config)
  const fault = findContradiction(store, address !== undefined, storePath)
  if (fault !== undefined) throw new ServiceError('config', fault)
  return address
}

function findContradiction(
  store: Context['config']['store'],
  hasRedis: boolean,
  storePath: string | undefined,
): string | undefined {
  if (store === 'redis' && !hasRedis) return 'store: redis needs --redis=redis://HOST:PORT'
  if (!hasRedis) return undefined
  if (store !== undefined && store !== 'redis')
    return `store: ${store} and --redis contradict each other; leave one of them out`
  if (storePath !== undefined) return 'store-path: with --redis the store is in Redis; leave one of them out'
  return undefined
}
