import { existsSync } from 'node:fs'
import { startRedis } from '@fleetroot/harness'
import { type Contender, startOurs, startTheirs } from './contenders.ts'
import { connectMqtt } from './load/mqtt.ts'
import { openDoors } from './load/open-doors.ts'
import { machine } from './measure/machine.ts'
import { cpuMs } from './measure/process.ts'
import { report } from './measure/report.ts'
import { median } from './measure/statistics.ts'
import { mosquittoVersion } from './peer/mosquitto.ts'

// QoS 1 from ten publishers with a window of 100 to one session that is stored: acknowledged, delivered and acknowledged by the
// receiver, per second. On disk, every message is fsynced, in groups, before its PUBACK; mosquitto, with persistence on, writes
// its store every half hour and keeps nothing safe before. In memory: what the disk costs. In Redis (appendfsync always, on the same
// machine, its processor time not counted): what it costs that several brokers may share the store.

const rounds = 5
const perPublisher = 4000
const publishers = Array.from({ length: 10 }, (_, i) => `bench-${i}`)
const payload = Buffer.from(JSON.stringify({ id: 'bench', seq: 123_456, temperature: 21.5, humidity: 40.25 }))

interface Figures {
  readonly perSecond: number
  readonly cpuMicroseconds: number
}

async function rounded(contender: Contender): Promise<() => Promise<Figures>> {
  const connections = await Promise.all(
    publishers.map(async (id) => ({ id, mqtt: await connectMqtt(contender.client(id), id) })),
  )
  const subscriber = await connectMqtt(contender.client('bench-service'), 'bench-service', false)
  await subscriber.subscribe('devices/#', 1)
  let delivered = 0
  return async () => {
    const total = publishers.length * perPublisher
    const arrived = subscriber.received((delivered += total))
    const cpu = cpuMs(contender.pid)
    const started = performance.now()
    await Promise.all(
      connections.map(({ id, mqtt }) =>
        mqtt.publish1(`devices/${id}/telemetry/t`, payload, perPublisher, 100),
      ),
    )
    await arrived
    return {
      perSecond: total / ((performance.now() - started) / 1000),
      cpuMicroseconds: ((cpuMs(contender.pid) - cpu) * 1000) / total,
    }
  }
}

console.log(`durable: ${machine()}`)
console.log(
  `${publishers.length} publishers, 1 stored session, ${payload.length} octets, median of ${rounds} rounds of ${publishers.length * perPublisher}; ${mosquittoVersion() ?? 'mosquitto not installed'}`,
)
// Where Debian puts it; without it there is nothing to compare.
const redis = existsSync('/usr/bin/redis-server') ? await startRedis() : undefined
const contenders = {
  disk: await startOurs(publishers, ['bench-service']),
  memory: await startOurs(publishers, ['bench-service'], [...openDoors, '--store=memory']),
  ...(redis === undefined
    ? {}
    : { redis: await startOurs(publishers, ['bench-service'], [...openDoors, `--redis=${redis.url}`]) }),
  ...(mosquittoVersion() ? { mosquitto: await startTheirs(publishers, ['bench-service']) } : {}),
}
try {
  const runs = new Map<string, { run: () => Promise<Figures>; figures: Figures[] }>()
  for (const [name, contender] of Object.entries(contenders)) {
    runs.set(name, { run: await rounded(contender), figures: [] })
  }
  for (let round = 0; round <= rounds; round++) {
    for (const { run, figures } of runs.values()) {
      const measured = await run()
      if (round > 0) figures.push(measured)
    }
  }
  const of = (name: string, key: keyof Figures): number | undefined => {
    const figures = runs.get(name)?.figures
    return figures && median(figures.map((each) => each[key]))
  }
  const row = (
    what: string,
    key: keyof Figures,
    unit: string,
    peer: string,
    budget: object,
    ours = 'disk',
  ): void => {
    const value = of(peer, key)
    const beside = value === undefined ? {} : { peer: { name: peer, value } }
    report({ what, ours: of(ours, key) ?? Number.NaN, unit, ...beside, ...budget })
  }
  const atLeast = { budget: { of: 'ratio', atLeast: 0.8 } }
  row('QoS 1, fsynced before each PUBACK, to a stored session', 'perSecond', '/s', 'mosquitto', atLeast)
  row('the same, CPU of the broker', 'cpuMicroseconds', 'µs/msg', 'mosquitto', {})
  row('the same, beside --store=memory', 'perSecond', '/s', 'memory', {})
  row('the same, CPU beside --store=memory', 'cpuMicroseconds', 'µs/msg', 'memory', {})
  if (redis !== undefined) {
    row('the same with --store=redis, beside --store=memory', 'perSecond', '/s', 'memory', {}, 'redis')
    row('the same, CPU of the broker', 'cpuMicroseconds', 'µs/msg', 'memory', {}, 'redis')
    row('the same, beside the disk', 'perSecond', '/s', 'disk', {}, 'redis')
  }
} finally {
  for (const contender of Object.values(contenders)) await contender.stop()
  await redis?.[Symbol.asyncDispose]()
}
