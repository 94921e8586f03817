import type { DatabaseSync } from 'node:sqlite'
import { RegistryError } from './registry-error.ts'

/** What became of one write: its value, or the error that undid this write alone. */
export type Written = { readonly value: unknown } | { readonly error: RegistryError }

/**
 * Returns the function that runs many writes as one transaction: one fsync for all of them (a commit costs
 * 190 µs, a row in a batch 7 µs). Results are in the order of the writes and exist only after COMMIT; if that
 * fails, every one of them is an error and nothing is changed. A write that throws is undone by its savepoint
 * and does not harm its neighbours.
 */
export function createBatchWriter(database: DatabaseSync): (writes: readonly (() => unknown)[]) => Written[] {
  // Taking the write lock at once lets busy_timeout wait for another process; upgrading a read cannot.
  const begin = database.prepare('BEGIN IMMEDIATE')
  const commit = database.prepare('COMMIT')
  const savepoint = database.prepare('SAVEPOINT operation')
  const release = database.prepare('RELEASE operation')
  const undo = database.prepare('ROLLBACK TO operation')

  function attempt(write: () => unknown): Written {
    savepoint.run()
    let written: Written
    try {
      written = { value: write() }
    } catch (error) {
      written = { error: failed(error) }
      undo.run()
    }
    release.run()
    return written
  }

  return (writes) => {
    try {
      begin.run()
      const written = writes.map(attempt)
      commit.run()
      return written
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK')
      return writes.map(() => ({ error: failed(error) }))
    }
  }
}

/** What SQLite threw, as an error of the registry. */
export function failed(cause: unknown): RegistryError {
  return new RegistryError('registry-failed', String(cause), { cause })
}
