import { existsSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { type RedisServer, startRedis } from '@fleetroot/harness'
import { type Contender, startNodes } from './contenders.ts'
import { each } from './load/each.ts'
import { connectMqtt, type MqttLoad } from './load/mqtt.ts'
import { openDoors } from './load/open-doors.ts'
import { machine } from './measure/machine.ts'
import { report } from './measure/report.ts'
import { percentile } from './measure/statistics.ts'

// Two brokers on one Redis. How long a PUBACK takes at one while devices at the other do nothing but change filters, with their
// rate and without (docs/decisions/0017); and what one message costs that goes into the queues of thousands of stored sessions,
// for as long as Redis does nothing else (docs/operations.md, "Redis as the store").

type Node = Omit<Contender, 'stop'>

const flippers = Array.from({ length: 12 }, (_, i) => `flip-${i}`)
const sleepers = Array.from({ length: 2000 }, (_, i) => `sleep-${i}`)
const calmMs = 5_000
const attackMs = 15_000
const everyMs = 20
const payload = Buffer.from('hello')

/** Delays of PUBACKs, in milliseconds, one message at a time. */
async function delays(publisher: MqttLoad, topic: string, forMs: number): Promise<number[]> {
  const measured: number[] = []
  for (const end = performance.now() + forMs; performance.now() < end; await delay(everyMs)) {
    const sent = performance.now()
    await publisher.publish1(topic, payload, 1, 1)
    measured.push(performance.now() - sent)
  }
  return measured
}

/** A device that changes one of a hundred filters, of which the others are long, as fast as it is let. */
async function flip(node: Node, id: string, until: AbortSignal): Promise<number> {
  const device = await connectMqtt(node.client(id), id, false)
  for (let i = 0; i < 99; i++) await device.subscribe(`devices/${id}/commands/${'x'.repeat(900)}${i}`, 1)
  let flips = 0
  const ended = new Promise((resolve) => until.addEventListener('abort', resolve))
  while (!until.aborted) {
    const together = Array.from({ length: 20 }, (_, i) =>
      device.subscribe(`devices/${id}/commands/#`, i % 2 === 0 ? 0 : 1),
    )
    await Promise.race([ended, Promise.all(together).then(() => (flips += together.length))])
    for (const one of together) one.catch(() => undefined)
  }
  device.socket.destroy()
  return flips
}

async function attacked(what: string, near: Node, far: Node): Promise<void> {
  const publisher = await connectMqtt(far.client('service'), 'service')
  const stored = await connectMqtt(far.client('sleep-0'), 'sleep-0', false)
  await stored.subscribe('devices/sleep-0/commands/#', 1)
  const topic = 'devices/sleep-0/commands/t'
  const calm = await delays(publisher, topic, calmMs)
  const over = new AbortController()
  const flips = flippers.map((id) => flip(near, id, over.signal))
  await delay(1_000)
  const busy = await delays(publisher, topic, attackMs)
  over.abort()
  const changed = (await Promise.all(flips)).reduce((sum, each) => sum + each, 0)
  console.log(`${what}: ${changed.toLocaleString('en')} filters changed`)
  for (const [name, p] of [
    ['p50', 50],
    ['p99', 99],
  ] as const) {
    const peer = { name: 'calm', value: percentile(calm, p) }
    report({ what: `PUBACK at the other node, ${name}`, unit: 'ms', ours: percentile(busy, p), peer })
  }
  for (const each of [publisher, stored]) await each.close()
}

/** Microseconds of the one command that the slow log has, as Redis has measured it. */
async function slowCommand(redis: RedisServer): Promise<number> {
  const entries = await redis.ask('SLOWLOG', 'GET', '1')
  // An entry is: its number, when, how long in microseconds.
  const micros = /^\*1\r\n\*\d+\r\n:\d+\r\n:\d+\r\n:(\d+)/.exec(entries)?.[1]
  if (micros === undefined) throw new Error(`SLOWLOG: ${entries.slice(0, 80)}`)
  return Number(micros)
}

async function broadcast(near: Node, far: Node, redis: RedisServer): Promise<void> {
  await each(sleepers, 16, async (id) => {
    const device = await connectMqtt(near.client(id), id, false)
    await device.subscribe('fleet/broadcast/#', 1)
    await device.close()
  })
  const publisher = await connectMqtt(far.client('service'), 'service')
  await redis.ask('CONFIG', 'SET', 'slowlog-log-slower-than', '5000')
  const pubacks: number[] = []
  const scripts: number[] = []
  for (let n = 0; n < 5; n++) {
    await redis.ask('SLOWLOG', 'RESET')
    const sent = performance.now()
    await publisher.publish1('fleet/broadcast/all', payload, 1, 1)
    pubacks.push(performance.now() - sent)
    scripts.push(await slowCommand(redis))
  }
  report({
    what: `one message to ${sleepers.length} stored sessions, to its PUBACK`,
    unit: 'ms',
    ours: percentile(pubacks, 50),
  })
  const ours = percentile(scripts, 50) / sleepers.length
  report({ what: 'Redis does nothing else, for each of them', unit: 'µs', ours })
  await publisher.close()
}

console.log(`nodes: ${machine()}`)
// Where Debian puts it; without it there is nothing to share.
if (!existsSync('/usr/bin/redis-server')) throw new Error('apt-get install redis-server')
await using redis = await startRedis()
const flag = `--redis=${redis.url}`
const limitless = openDoors.filter((each) => !each.includes('filter'))
const { nodes, stop } = await startNodes(
  [...flippers, ...sleepers],
  ['service'],
  [
    [...limitless, flag],
    [...openDoors, flag],
  ],
)
try {
  const [guarded, open] = nodes as [Node, Node]
  await attacked(`${flippers.length} devices change filters as fast as they may`, guarded, open)
  await attacked('the same, where filters have no rate', open, guarded)
  await broadcast(guarded, open, redis)
} finally {
  await stop()
}
