import { DatabaseSync } from 'node:sqlite'
import { migrate } from './migrations.ts'

/** How long one process waits for the transaction of another on the same file. */
const busyTimeoutMs = 10_000

/**
 * Opens the registry file and brings its schema up to date. WAL lets readers and several server processes
 * work beside the writer; `synchronous=FULL` makes a commit survive the power cut, not only the crash
 * (https://sqlite.org/pragma.html#pragma_synchronous).
 */
export function openDatabase(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: busyTimeoutMs })
  try {
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF')
    migrate(database)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}
