import { closeSync, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { ServiceError } from '../error.ts'

/** A lock that this process holds. */
export interface FileLock {
  /** Gives it up; the lock file stays. Idempotent. */
  release(): void
}

/**
 * Locks a file against other processes and against this one. The operating system keeps the lock (a POSIX
 * record lock, taken by SQLite, since Node itself offers none), so a process that dies by `kill -9` gives
 * it up at once, and processes in different containers on one volume see each other, as pids would not.
 * Waits up to `waitMs` (30 s by default), then throws ServiceError `lock-held`. Not for NFS without lockd.
 */
export async function acquireLock(
  path: string,
  options: { waitMs?: number; signal?: AbortSignal } = {},
): Promise<FileLock> {
  const { waitMs = 30_000, signal } = options
  const deadline = Date.now() + waitMs
  for (;;) {
    signal?.throwIfAborted()
    const lock = tryLock(path)
    if (lock) return lock
    const left = deadline - Date.now()
    if (left <= 0) {
      throw new ServiceError(
        'lock-held',
        `${path} is locked by another process that runs; stop it or wait for it`,
      )
    }
    await delay(Math.min(left, 10 + Math.random() * 40), undefined, { signal })
  }
}

/** Runs `work` while holding the lock, and releases it whatever happens. */
export async function withLock<T>(
  path: string,
  work: () => T | Promise<T>,
  options: { waitMs?: number; signal?: AbortSignal } = {},
): Promise<T> {
  const lock = await acquireLock(path, options)
  try {
    return await work()
  } finally {
    lock.release()
  }
}

function tryLock(path: string): FileLock | undefined {
  createEmpty(path)
  const database = new DatabaseSync(path, { timeout: 0 })
  try {
    // Takes the lock and writes nothing: the file stays empty and there is no journal to recover.
    database.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    if ((error as { errcode?: number }).errcode === sqliteBusy) return undefined
    throw error
  }
  return { release: () => void (database.isOpen && database.close()) }
}

const sqliteBusy = 5

/**
 * Only `wx`: POSIX drops all locks of a process on a file when it closes any descriptor of it, so an existing
 * lock file must never be opened and closed here.
 */
function createEmpty(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}
