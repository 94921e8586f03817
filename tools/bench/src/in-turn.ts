import { type Contender, startOurs, startTheirs } from './contenders.ts'
import { median } from './measure/statistics.ts'
import { mosquittoVersion } from './peer/mosquitto.ts'

/** What was measured of ours and, where it is installed, of mosquitto. */
export interface Compared<Figures> {
  /** The medians of one figure, as a row of a report wants them. */
  readonly medians: (figure: (of: Figures) => number) => {
    readonly ours: number
    readonly peer?: { readonly name: string; readonly value: number }
  }
}

/**
 * Starts both brokers, with an identity for each of `ids` and for `bench-service`; prepares each once, and then measures one
 * after the other. The first round warms up, and `rounds` more count.
 */
export async function measureInTurn<Figures>(
  ids: readonly string[],
  rounds: number,
  prepare: (contender: Contender) => Promise<() => Promise<Figures>>,
): Promise<Compared<Figures>> {
  const ours = await startOurs(ids, ['bench-service'])
  const theirs = mosquittoVersion() ? await startTheirs(ids, ['bench-service']) : undefined
  const figures = { ours: [] as Figures[], theirs: [] as Figures[] }
  try {
    const run = { ours: await prepare(ours), theirs: theirs && (await prepare(theirs)) }
    for (let number = 0; number <= rounds; number++) {
      const own = await run.ours()
      const peers = await run.theirs?.()
      if (number === 0) continue
      figures.ours.push(own)
      if (peers) figures.theirs.push(peers)
    }
  } finally {
    await ours.stop()
    await theirs?.stop()
  }
  return {
    medians: (figure) => ({
      ours: median(figures.ours.map(figure)),
      ...(theirs && { peer: { name: theirs.name, value: median(figures.theirs.map(figure)) } }),
    }),
  }
}
