import { setTimeout as delay } from 'node:timers/promises'
import { type Contender, startOurs, startTheirs } from './contenders.ts'
import { each } from './load/each.ts'
import { connectMqtt } from './load/mqtt.ts'
import { machine } from './measure/machine.ts'
import { residentKiB } from './measure/process.ts'
import { report, type Row } from './measure/report.ts'
import { mosquittoVersion } from './peer/mosquitto.ts'

// Resident memory of the broker for one more idle session: mutual TLS, an identity of its own, one subscription, presence and
// all guards. The slope between two numbers of sessions, so that what the broker needs without any, and what the garbage
// collector has put aside by then, is in neither; each number is looked at when the broker has been left alone for a while.

const few = 1000
const many = 5000
const atOnce = 16
/** V8 gives memory back when nothing happens for some seconds. */
const restMs = 15_000
const ids = Array.from({ length: many }, (_, i) => `bench-${i}`)

/** KiB for a session. */
async function slope(contender: Contender): Promise<number> {
  const connect = (some: readonly string[]): Promise<void> =>
    each(some, atOnce, async (id) => {
      const load = await connectMqtt(contender.client(id), id)
      await load.subscribe(`devices/${id}/commands/#`, 1)
    })
  await connect(ids.slice(0, few))
  await delay(restMs)
  const before = residentKiB(contender.pid)
  await connect(ids.slice(few))
  await delay(restMs)
  return (residentKiB(contender.pid) - before) / (many - few)
}

console.log(`memory: ${machine()}`)
console.log(
  `from ${few} to ${many} idle sessions, one subscription each; ${mosquittoVersion() ?? 'mosquitto not installed'}`,
)
const contenders: Contender[] = []
try {
  const ours = await startOurs(ids, [])
  contenders.push(ours)
  const own = await slope(ours)
  const theirs = mosquittoVersion() ? await startTheirs(ids, []) : undefined
  if (theirs) contenders.push(theirs)
  const peer: Partial<Row> = theirs ? { peer: { name: theirs.name, value: await slope(theirs) } } : {}
  const budget = { of: 'value', atMost: 85 } as const
  report({ what: 'memory for one idle session', ours: own, unit: 'KiB', ...peer, budget })
} finally {
  for (const contender of contenders) await contender.stop()
}
// Thousands of connections that are open would keep the process.
process.exit()
