import type { DatabaseSync } from 'node:sqlite'
import type { Calls } from './calls.ts'
import { createLocalRegistry } from './local-registry.ts'
import { operationNames, writingOperations } from './operations.ts'
import type { Registry } from './registry.ts'

/** The registry on a thread that looks up on a connection of its own and has another thread write. */
export function createReadingRegistry(
  database: DatabaseSync,
  writer: Pick<Calls, 'ask'>,
): Omit<Registry, 'close'> {
  const local = createLocalRegistry(database)
  const operations = operationNames.map((name) => [
    name,
    writingOperations.has(name) ? (input: unknown) => writer.ask(name, input) : local[name],
  ])
  return Object.fromEntries(operations) as Omit<Registry, 'close'>
}
