import type { DatabaseSync } from 'node:sqlite'
import { createBatchWriter, failed } from './batch.ts'
import { operationNames, registryOperations, writingOperations } from './operations.ts'
import type { Registry } from './registry.ts'

interface Waiting {
  readonly write: () => unknown
  resolve(value: unknown): void
  reject(error: Error): void
}

/**
 * The registry on the thread that owns the connection. Reads are answered at once. The writes of one turn of the
 * event loop share one transaction, and are answered after its COMMIT.
 */
export function createLocalRegistry(database: DatabaseSync): Omit<Registry, 'close'> {
  const operations = registryOperations(database)
  const commit = createBatchWriter(database)
  let waiting: Waiting[] = []

  function flush(): void {
    const writes = waiting
    waiting = []
    const written = commit(writes.map(({ write }) => write))
    for (const [n, result] of written.entries()) {
      if ('value' in result) writes[n]?.resolve(result.value)
      else writes[n]?.reject(result.error)
    }
  }

  const write = (operation: (input: unknown) => unknown) => (input: unknown) =>
    new Promise((resolve, reject) => {
      if (waiting.length === 0) setImmediate(flush)
      waiting.push({ write: () => operation(input), resolve, reject })
    })
  const read = (operation: (input: unknown) => unknown) => async (input: unknown) => {
    try {
      return operation(input)
    } catch (error) {
      throw failed(error)
    }
  }
  const local = operationNames.map((name) => {
    const operation = operations[name] as (input: unknown) => unknown
    return [name, writingOperations.has(name) ? write(operation) : read(operation)]
  })
  return Object.fromEntries(local) as Omit<Registry, 'close'>
}
