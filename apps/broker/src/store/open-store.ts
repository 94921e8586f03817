import type { Logger } from '@fleetroot/service'
import { BrokerError } from '../error.ts'
import { StoreCounts } from './counts.ts'
import { DiskJournal } from './disk-journal.ts'
import type { StoreLimits } from './limits.ts'
import { type Loaded, loadStore } from './load.ts'
import { type Database, openDatabase } from './open.ts'
import { Store } from './store.ts'

/** How to open a store on disk. */
export interface OpenStoreOptions {
  /** Where it may be: the first one that no other broker has open. */
  readonly directories: readonly string[]
  readonly limits?: Partial<StoreLimits>
  readonly counts?: StoreCounts
  readonly log: Logger
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Hears when nothing can be kept any more (why), and when it can again (undefined). */
  readonly onHealth?: (failure: Error | undefined) => void
  /** Between attempts to write what could not be written. Default 2 s. */
  readonly retryMs?: number
}

/** A store that is open. */
export interface OpenedStore {
  readonly store: Store
  readonly directory: string
  readonly loaded: Loaded
}

/** Opens the store of a broker, and reads it. Throws what `openDatabase` and `loadStore` do. */
export async function openStore(options: OpenStoreOptions): Promise<OpenedStore> {
  const { directories, limits, counts = new StoreCounts(), log, now, onHealth, retryMs } = options
  const { database, directory } = await openFirst(directories)
  const journal = new DiskJournal({
    database,
    counts,
    reopen: () => openDatabase(directory),
    onHealth: (failure) => {
      if (failure === undefined) store.wakeAll()
      onHealth?.(failure)
    },
    ...(retryMs === undefined ? {} : { retryMs }),
  })
  const store = new Store({ journal, counts, log, now, ...(limits === undefined ? {} : { limits }) })
  try {
    const loaded = await loadStore(database, store, directory, now())
    store.sweep()
    return { store, directory, loaded }
  } catch (error) {
    await journal.close()
    throw error
  }
}

async function openFirst(directories: readonly string[]): Promise<{ database: Database; directory: string }> {
  for (const [index, directory] of directories.entries()) {
    try {
      return { database: await openDatabase(directory), directory }
    } catch (error) {
      const isLocked = error instanceof BrokerError && error.code === 'store-locked'
      if (!isLocked || index === directories.length - 1) throw error
    }
  }
  throw new BrokerError('store-failed', 'no directory for the store')
}
