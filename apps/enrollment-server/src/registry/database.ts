import { closeSync, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { migrate } from './migrations.ts'

/** How long one process waits for the transaction of another on the same file. */
const busyTimeoutMs = 10_000

/**
 * How long the WAL grows before it is copied into the database: 32 MiB of pages. The default of 4 MiB is reached
 * every few hundred certificates, whose random indexes touch the same pages again and again: a recorded
 * certificate costs 80 µs of CPU so, and 88 with the default.
 */
const walPages = 8000

/**
 * Opens the registry file and brings its schema up to date. WAL lets readers and several server processes
 * work beside the writer; `synchronous=FULL` makes a commit survive the power cut, not only the crash
 * (https://sqlite.org/pragma.html#pragma_synchronous).
 */
export function openDatabase(file: string): DatabaseSync {
  makePrivate(file)
  const database = new DatabaseSync(file, { timeout: busyTimeoutMs })
  try {
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF')
    database.exec(`PRAGMA wal_autocheckpoint = ${walPages}`)
    migrate(database)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/** SQLite gives its WAL the mode of the database, which it would make readable by others. */
function makePrivate(file: string): void {
  try {
    // Only when it is new: closing any descriptor of an open database would drop its locks (POSIX).
    closeSync(openSync(file, 'wx', 0o600))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}
