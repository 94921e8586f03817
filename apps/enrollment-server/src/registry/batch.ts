import type { DatabaseSync } from 'node:sqlite'
import { registryOperations, writingOperations } from './operations.ts'
import type { RegistryOperations } from './registry.ts'

/** The name and the input of one operation, as it travels to the thread that owns the database. */
export type Call = readonly [name: keyof RegistryOperations, input: unknown]

/** What came back: a value, or the message of the error that undid this operation alone. */
export type Answer = { readonly value: unknown } | { readonly error: string }

/**
 * Returns the function that runs many operations as one transaction: one fsync for all of them (a commit
 * costs 190 µs, a row in a batch 7 µs). Answers are in the order of the calls and exist only after COMMIT;
 * if that fails, every one of them is an error and nothing is changed. An operation that throws is undone
 * by its savepoint and does not harm its neighbours.
 */
export function createBatchRunner(database: DatabaseSync): (calls: readonly Call[]) => Answer[] {
  const operations = registryOperations(database)
  const beginRead = database.prepare('BEGIN')
  // Taking the write lock at once lets busy_timeout wait for another process; upgrading a read cannot.
  const beginWrite = database.prepare('BEGIN IMMEDIATE')
  const commit = database.prepare('COMMIT')
  const savepoint = database.prepare('SAVEPOINT operation')
  const release = database.prepare('RELEASE operation')
  const undo = database.prepare('ROLLBACK TO operation')

  function run([name, input]: Call): Answer {
    // A read changes nothing that would have to be undone.
    return writingOperations.has(name) ? runWrite([name, input]) : attempt([name, input])
  }

  function attempt([name, input]: Call): Answer {
    try {
      const operation = operations[name] as (input: unknown) => unknown
      return { value: operation(input) }
    } catch (error) {
      return { error: String(error) }
    }
  }

  function runWrite(call: Call): Answer {
    savepoint.run()
    const answer = attempt(call)
    if ('error' in answer) undo.run()
    release.run()
    return answer
  }

  return (calls) => {
    try {
      if (calls.some(([name]) => writingOperations.has(name))) beginWrite.run()
      else beginRead.run()
      const answers = calls.map(run)
      commit.run()
      return answers
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK')
      return calls.map(() => ({ error: String(error) }))
    }
  }
}
