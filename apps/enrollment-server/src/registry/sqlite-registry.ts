import type { MessagePort } from 'node:worker_threads'
import { operationNames, writingOperations } from './operations.ts'
import type { RegistryError } from './registry-error.ts'
import type { Registry, RegistryOperations } from './registry.ts'
import { openThread, type Thread } from './thread.ts'
import type { RegistryThreadData } from './worker.ts'

const registryThread = new URL('./worker.ts', import.meta.url)

/**
 * Opens the SQLite registry in two threads, one that writes and one that reads, so that no lookup waits for an
 * fsync (a disk that others use as well takes milliseconds for one). In WAL mode a reader sees every commit that
 * was answered before it asked.
 * @param onFailure called once if a thread dies by itself; the registry is of no use then
 * @param ports over which other threads ask the one that writes
 * @throws {RegistryError} `registry-open`, `registry-newer`
 */
export async function openSqliteRegistry(
  file: string,
  onFailure: (error: RegistryError) => void = () => {},
  ports: readonly MessagePort[] = [],
): Promise<Registry> {
  const writer = await openThread(registryThread, { file, ports } as RegistryThreadData, onFailure, ports)
  let reader: Thread
  try {
    reader = await openThread(registryThread, { file }, onFailure)
  } catch (error) {
    await writer.close()
    throw error
  }

  const operation = (name: keyof RegistryOperations) => {
    const thread = writingOperations.has(name) ? writer : reader
    return [name, async (input: unknown) => thread.ask(name, input)]
  }

  return {
    ...(Object.fromEntries(operationNames.map(operation)) as Omit<Registry, 'close'>),
    close: async () => {
      await reader.close()
      await writer.close()
    },
  }
}
