import { connectMqtt } from './load/mqtt.ts'
import type { Contender } from './contenders.ts'
import { measureInTurn } from './in-turn.ts'
import { machine } from './measure/machine.ts'
import { cpuMs } from './measure/process.ts'
import { report } from './measure/report.ts'
import { mosquittoVersion } from './peer/mosquitto.ts'

// QoS 0: ten publishers to one subscriber, CPU of the broker per message delivered.
// QoS 1: ten publishers with a window of 100 to a clean session, messages acknowledged and delivered per second: nothing has to be
// kept by either broker. What has to be is measured by durable.ts.

const rounds = 5
const perPublisher = 4000
const publishers = Array.from({ length: 10 }, (_, i) => `bench-${i}`)
const payload = Buffer.from(JSON.stringify({ id: 'bench', seq: 123_456, temperature: 21.5, humidity: 40.25 }))
const topic = (id: string): string => `devices/${id}/telemetry/t`

interface Figures {
  readonly cpuMicroseconds: number
  readonly perSecond: number
}

async function rounded(contender: Contender): Promise<() => Promise<Figures>> {
  const connections = await Promise.all(
    publishers.map(async (id) => ({ id, mqtt: await connectMqtt(contender.client(id), id) })),
  )
  const subscriber = await connectMqtt(contender.client('bench-service'), 'bench-service')
  await subscriber.subscribe('devices/#', 0)
  let delivered = 0
  return async () => {
    const total = publishers.length * perPublisher
    const cpu = cpuMs(contender.pid)
    const arrived = subscriber.received((delivered += total))
    await Promise.all(connections.map(({ id, mqtt }) => mqtt.publish0(topic(id), payload, perPublisher)))
    await arrived
    const cpuMicroseconds = ((cpuMs(contender.pid) - cpu) * 1000) / total

    const everything = subscriber.received((delivered += total))
    const started = performance.now()
    await Promise.all(connections.map(({ id, mqtt }) => mqtt.publish1(topic(id), payload, perPublisher, 100)))
    await everything
    return { cpuMicroseconds, perSecond: total / ((performance.now() - started) / 1000) }
  }
}

console.log(`publish: ${machine()}`)
console.log(
  `${publishers.length} publishers, 1 subscriber, ${payload.length} octets, median of ${rounds} rounds of ${publishers.length * perPublisher}; ${mosquittoVersion() ?? 'mosquitto not installed'}`,
)
const { medians } = await measureInTurn(publishers, rounds, rounded)
report({
  what: 'QoS 0, 10 publishers to 1 subscriber, CPU of the broker',
  ...medians(({ cpuMicroseconds }) => cpuMicroseconds),
  unit: 'µs/msg',
  budget: { of: 'ratio', atMost: 1.6 },
})
report({
  what: 'QoS 1, acknowledged and delivered to 1 subscriber',
  ...medians(({ perSecond }) => perSecond),
  unit: '/s',
  budget: { of: 'ratio', atLeast: 0.8 },
})
// And what has to be kept.
await import('./durable.ts')
