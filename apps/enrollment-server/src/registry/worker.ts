import { type MessagePort, workerData } from 'node:worker_threads'
import { openDatabase } from './database.ts'
import { createLocalRegistry } from './local-registry.ts'
import { serveCalls } from './thread-calls.ts'

/** What a thread of the registry starts with; over `ports` other threads ask it. */
export interface RegistryThreadData {
  readonly file: string
  readonly ports?: readonly MessagePort[]
}

const { file, ports = [] } = workerData as RegistryThreadData

// A thread that answers the operations of the registry and nothing else.
serveCalls(() => {
  const database = openDatabase(file)
  return { operations: createLocalRegistry(database), close: () => database.close() }
}, ports)
