/**
 * Where changes of the store are made safe. A change is handed over in the turn in which it is made, and is on disk
 * when the promise of a later `flushed` resolves. Changes reach the disk in the order in which they were handed over,
 * and those of one synchronous piece of work reach it together or not at all.
 */
export interface Journal {
  put(key: Buffer, value: Buffer): void
  del(key: Buffer): void
  /**
   * Resolves when every change so far is safe; undefined when it is already. Rejects with BrokerError `store-failed`
   * when they could not be written: they are tried again, but whoever waited must not acknowledge anything.
   *
   * To be called in the turn in which a change is made. A group for which nobody asks, such as one of acknowledgements of
   * clients alone, gathers for up to 50 ms and is written without an fsync: from then on it survives a kill, and a power
   * failure after the next group.
   */
  flushed(): Promise<void> | undefined
  /** Number of the group that the next change will be in. */
  readonly group: number
  /** Groups up to this number are safe. */
  readonly safeGroup: number
  /** Can nothing be made safe now? */
  readonly isFailing: boolean
  /** Writes what is left and lets go of the directory. */
  close(): Promise<void>
}

/** Keeps nothing, at once: for `--store=memory`. */
export const memoryJournal: Journal = {
  put: () => undefined,
  del: () => undefined,
  flushed: () => undefined,
  group: 0,
  safeGroup: 0,
  isFailing: false,
  close: async () => undefined,
}
