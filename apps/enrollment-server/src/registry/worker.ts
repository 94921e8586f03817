import { workerData } from 'node:worker_threads'
import { openDatabase } from './database.ts'
import { createLocalRegistry } from './local-registry.ts'
import { serveCalls } from './thread-calls.ts'

// A thread that answers the operations of the registry and nothing else.
serveCalls(() => {
  const database = openDatabase((workerData as { file: string }).file)
  return { operations: createLocalRegistry(database), close: () => database.close() }
})
