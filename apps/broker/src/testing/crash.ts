import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLogger } from '@fleetroot/service'
import type { EngineLimits } from '../engine/limits.ts'
import type { Policy } from '@fleetroot/policy'
import type { StoreLimits } from '../store/limits.ts'
import { type OpenedStore, openStore } from '../store/open-store.ts'
import { type BenchEngine, identity, startBenchEngine } from './bench-engine.ts'
import type { WireClient } from './wire-client.ts'

/** An engine with a store on disk, of which there can be more than one generation. */
export interface Generation {
  readonly bench: BenchEngine
  readonly opened: OpenedStore
  /**
   * Starts another engine on what the disk has at this moment: what a killed process would leave, because LevelDB hands all
   * of a group to the kernel before it says that the group is written. This one goes on, and knows nothing of it.
   */
  readonly crash: (changes?: Changes) => Promise<Generation>
  readonly close: () => Promise<void>
}

/** What may be different in an engine. */
export interface Changes {
  readonly policy?: Policy
  readonly limits?: Partial<EngineLimits>
  readonly storeLimits?: Partial<StoreLimits>
  /** Milliseconds since 1970 by the clock of engine and store. */
  readonly time?: number
}

/** Starts the first generation. */
export async function startGeneration(changes: Changes = {}): Promise<Generation> {
  const folder = await mkdtemp(join(tmpdir(), 'fleetroot-'))
  const generations: Generation[] = []
  let count = 0

  async function start(
    directory: string,
    { policy, limits, storeLimits, time }: Changes,
  ): Promise<Generation> {
    const clock: { bench?: BenchEngine } = {}
    const opened = await openStore({
      directories: [directory],
      limits: storeLimits ?? {},
      log: createLogger({ name: 'broker', level: 'silent' }),
      now: () => clock.bench?.time ?? time ?? 1_700_000_000_000,
    })
    const more = policy === undefined ? {} : { policy }
    const bench = await startBenchEngine(limits, {
      store: opened.store,
      ...more,
      ...(time === undefined ? {} : { time }),
    })
    clock.bench = bench
    const generation: Generation = {
      bench,
      opened,
      crash: async (next = {}) => {
        const copy = `${folder}/${(count += 1)}`
        await cp(directory, copy, { recursive: true })
        return start(copy, { ...changes, ...next })
      },
      close: async () => {
        for (const each of generations.splice(0)) {
          await each.bench.engine.close()
          await each.opened.store.journal.close()
        }
        await rm(folder, { recursive: true })
      },
    }
    generations.push(generation)
    return generation
  }

  return start(`${folder}/0`, changes)
}

/** What a client gets from an engine: texts of its messages in their order, after everything has been delivered. */
export async function texts(client: WireClient): Promise<string[]> {
  await client.ping()
  await client.ping()
  return client.messages.map(({ payload }) => payload.toString())
}

const backend = identity('service', 'backend')

/** The service with a session that is stored, and its filters at a quality of service. */
export async function listen(generation: Generation, qos: 1 | 2): Promise<WireClient> {
  const service = await generation.bench.connect(backend, false)
  await service.subscribeAt(qos, 'devices/#')
  return service
}

/** The service again, in another generation. */
export async function comeBack(generation: Generation): Promise<WireClient> {
  return generation.bench.connect(backend, false)
}

/** What is retained on a topic. */
export async function retained({ opened }: Generation, topic: string): Promise<string[]> {
  const found = await Array.fromAsync(opened.store.retained.match([topic]))
  return found.map(({ message }) => message.payload.toString())
}
