import { connectMqtt } from './load/mqtt.ts'
import { type Contender, startOurs, startTheirs } from './contenders.ts'
import { machine } from './measure/machine.ts'
import { cpuMs } from './measure/process.ts'
import { report } from './measure/report.ts'
import { median } from './measure/statistics.ts'
import { mosquittoVersion } from './peer/mosquitto.ts'

// A full mutual-TLS handshake, CONNECT, CONNACK, DISCONNECT: what the broker spends on each.

const rounds = 5
const perRound = 400
const atOnce = 8
const devices = Array.from({ length: atOnce }, (_, i) => `bench-${i}`)

async function round(contender: Contender, samples?: number[]): Promise<void> {
  const before = cpuMs(contender.pid)
  await Promise.all(
    devices.map(async (id) => {
      for (let i = 0; i < perRound / atOnce; i++) {
        const connection = await connectMqtt(contender.client(id), id)
        await connection.close()
      }
    }),
  )
  samples?.push((cpuMs(contender.pid) - before) / perRound)
}

console.log(`connect: ${machine()}`)
console.log(
  `${atOnce} clients at once, median of ${rounds} rounds of ${perRound}; ${mosquittoVersion() ?? 'mosquitto not installed'}`,
)
const ours = await startOurs(devices, [])
const theirs = mosquittoVersion() ? await startTheirs(devices, []) : undefined
try {
  const figures = { ours: [] as number[], theirs: [] as number[] }
  for (let number = 0; number <= rounds; number++) {
    await round(ours, number === 0 ? undefined : figures.ours)
    if (theirs) await round(theirs, number === 0 ? undefined : figures.theirs)
  }
  report({
    what: 'CPU of the broker for one connection',
    ours: median(figures.ours),
    unit: 'ms',
    ...(theirs ? { peer: { name: theirs.name, value: median(figures.theirs) } } : {}),
    budget: { of: 'ratio', atMost: 1.25 },
  })
} finally {
  await ours.stop()
  await theirs?.stop()
}
