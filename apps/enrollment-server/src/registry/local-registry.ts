import type { DatabaseSync } from 'node:sqlite'
import { createBatchWriter, failed } from './batch.ts'
import { certificateOperations } from './certificate-table.ts'
import { deviceOperations } from './device-table.ts'
import type { Registry, RegistryOperations } from './registry.ts'
import { tokenOperations } from './token-table.ts'

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
  const operations: RegistryOperations = {
    ...deviceOperations(database),
    ...tokenOperations(database),
    ...certificateOperations(database),
  }
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

  function writing<Name extends keyof RegistryOperations>(name: Name): Registry[Name] {
    const operation = operations[name] as (input: unknown) => unknown
    return ((input: unknown) =>
      new Promise((resolve, reject) => {
        if (waiting.length === 0) setImmediate(flush)
        waiting.push({ write: () => operation(input), resolve, reject })
      })) as Registry[Name]
  }

  function reading<Name extends keyof RegistryOperations>(name: Name): Registry[Name] {
    const operation = operations[name] as (input: unknown) => unknown
    return (async (input: unknown) => {
      try {
        return operation(input)
      } catch (error) {
        throw failed(error)
      }
    }) as Registry[Name]
  }

  return {
    addDevice: writing('addDevice'),
    renameDevice: writing('renameDevice'),
    addToken: writing('addToken'),
    recordCertificate: writing('recordCertificate'),
    findDevice: reading('findDevice'),
    listDevices: reading('listDevices'),
    findToken: reading('findToken'),
    findCertificate: reading('findCertificate'),
    findKeyHolder: reading('findKeyHolder'),
  }
}
