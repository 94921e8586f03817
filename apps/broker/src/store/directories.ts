import { readdir } from 'node:fs/promises'
import type { DataDirectory, Logger } from '@fleetroot/service'

/** How many brokers without a fixed port may share a data directory. */
const maxWithoutPort = 9

/**
 * Where the store of a broker is: `broker/store/PORT` in the data directory, unless the operator has chosen another place. Two
 * brokers on one data directory have different ports, and each finds its own sessions again after a restart, in whatever
 * order they start. Without a fixed port (0) it is the first of `broker/store/any`, `any-2` … that is free.
 */
export async function storeDirectories(
  { port, storePath }: { readonly port: number; readonly storePath: string | undefined },
  data: DataDirectory,
  log: Logger,
): Promise<string[]> {
  if (storePath !== undefined) return [storePath]
  const parent = await data.directory('broker/store')
  if (port === 0) {
    return Array.from({ length: maxWithoutPort }, (_, n) =>
      data.file('broker/store', n === 0 ? 'any' : `any-${n + 1}`),
    )
  }
  const name = String(port)
  const others = await readdir(parent)
  if (others.length > 0 && !others.includes(name)) {
    log.warn(
      { store: name, others },
      'this port has no store yet and begins with an empty one; the sessions of another port stay in its own',
    )
  }
  return [data.file('broker/store', name)]
}
