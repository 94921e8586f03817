import { setTimeout as delay } from 'node:timers/promises'
import type { Contender } from './contenders.ts'
import { measureInTurn } from './in-turn.ts'
import { each } from './load/each.ts'
import { connectMqtt } from './load/mqtt.ts'
import { machine } from './measure/machine.ts'
import { cpuMs } from './measure/process.ts'
import { report } from './measure/report.ts'
import { percentile } from './measure/statistics.ts'
import { mosquittoVersion } from './peer/mosquitto.ts'

// One message at QoS 0 to a thousand devices. As fast as the subscribers take it: deliveries a second and CPU for each.
// At ten messages a second, which leaves both brokers time: from PUBLISH to arrival at each subscriber, in the
// clock of the one process that has both ends.

const rounds = 5
const subscribers = 1000
const messages = 100
const underWay = 5
const pacedMessages = 20
const paceMs = 100
const ids = Array.from({ length: subscribers }, (_, i) => `bench-${i}`)
const topic = 'fleet/broadcast/bench'
const padding = Buffer.alloc(80)

interface Figures {
  readonly perSecond: number
  readonly cpuMicroseconds: number
  readonly p50: number
  readonly p99: number
}

async function rounded(contender: Contender): Promise<() => Promise<Figures>> {
  let arrived = 0
  let onArrival = (): void => undefined
  let latencies: number[] | undefined
  await each(ids, 16, async (id) => {
    const load = await connectMqtt(contender.client(id), id)
    load.onMessage = (payload) => {
      arrived += 1
      latencies?.push(performance.now() - payload.readDoubleBE(0))
      onArrival()
    }
    await load.subscribe(topic, 0)
  })
  const publisher = await connectMqtt(contender.client('bench-service'), 'bench-service')
  const publish = async (): Promise<void> => {
    const time = Buffer.alloc(8)
    time.writeDoubleBE(performance.now())
    await publisher.publish0(topic, Buffer.concat([time, padding]), 1)
  }
  const until = (count: number): Promise<void> =>
    new Promise((resolve) => {
      onArrival = () => {
        if (arrived >= count) resolve()
      }
      onArrival()
    })

  return async () => {
    arrived = 0
    const cpu = cpuMs(contender.pid)
    const started = performance.now()
    for (let sent = 0; sent < messages; sent++) {
      await until((sent - underWay) * subscribers)
      await publish()
    }
    await until(messages * subscribers)
    const seconds = (performance.now() - started) / 1000
    const spent = cpuMs(contender.pid) - cpu

    arrived = 0
    const samples: number[] = (latencies = [])
    for (let sent = 0; sent < pacedMessages; sent++) {
      await publish()
      await delay(paceMs)
    }
    await until(pacedMessages * subscribers)
    latencies = undefined
    const deliveries = messages * subscribers
    return {
      perSecond: deliveries / seconds,
      cpuMicroseconds: (spent * 1000) / deliveries,
      p50: percentile(samples, 50),
      p99: percentile(samples, 99),
    }
  }
}

console.log(`fanout: ${machine()}`)
console.log(
  `1 publisher, ${subscribers} subscribers, ${8 + padding.length} octets, median of ${rounds} rounds of ${messages}; ${mosquittoVersion() ?? 'mosquitto not installed'}`,
)
const { medians } = await measureInTurn(ids, rounds, rounded)
const show = (what: string, key: keyof Figures, unit: string): void =>
  report({ what, ...medians((figures) => figures[key]), unit })
show(`QoS 0, 1 publisher to ${subscribers}, deliveries`, 'perSecond', '/s')
show('CPU of the broker for one of them', 'cpuMicroseconds', 'µs')
show(`latency at ${1000 / paceMs} messages a second, p50`, 'p50', 'ms')
show('the same, p99', 'p99', 'ms')
// A thousand connections that are open would keep the process.
process.exit()
