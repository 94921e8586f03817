import type { AppContext, DataDirectory, Logger } from '@fleetroot/service'
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

/** The store that the configuration asks for, open and read, until the process stops. */
export async function keepStore(options: KeepStoreOptions): Promise<Store> {
  const { config, data, counts, log, onReadiness, onStop } = options
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
  log.info({ directory, ...loaded }, 'store open')
  onReadiness('store', undefined)
  return store
}
