import { generate, type Packet } from 'mqtt-packet'
import { collectGarbage, fuzzing } from '@fleetroot/pki/testing'
import { expect, test } from 'vitest'
import { type BenchEngine, identity, startBenchEngine } from './testing/bench-engine.ts'
import { expectSoon } from './testing/followed-broker.ts'
import type { WireClient } from './testing/wire-client.ts'

const { seconds, seed, random } = fuzzing(5)

function heapBytes(): number {
  collectGarbage()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

const connect: Packet = {
  cmd: 'connect',
  protocolId: 'MQTT',
  protocolVersion: 4,
  clean: true,
  keepalive: 60,
  clientId: 'eve',
  will: { topic: 'devices/eve/state', payload: Buffer.from('gone'), qos: 1, retain: true },
}

const publish = (qos: 0 | 1 | 2, topic: string, messageId: number): Packet => ({
  cmd: 'publish',
  topic,
  payload: 'payload',
  qos,
  retain: qos === 1,
  dup: false,
  messageId,
})

const afterConnect: readonly Packet[] = [
  publish(0, 'devices/eve/telemetry/a', 0),
  publish(1, 'devices/eve/state', 1),
  publish(2, 'devices/eve/events/x', 2),
  publish(1, 'devices/bob/state', 3),
  { cmd: 'pubrel', messageId: 2, qos: 1 } as Packet,
  { cmd: 'puback', messageId: 9 },
  { cmd: 'pubrec', messageId: 9 },
  { cmd: 'pubcomp', messageId: 9 },
  {
    cmd: 'subscribe',
    messageId: 4,
    subscriptions: [
      { topic: 'devices/eve/commands/#', qos: 2 },
      { topic: '#', qos: 0 },
    ],
  },
  { cmd: 'unsubscribe', messageId: 5, unsubscriptions: ['devices/eve/commands/#'] },
  { cmd: 'pingreq' },
  { cmd: 'disconnect' },
  connect,
]

/** Changes some bytes: flips, removes, repeats, inserts, and the lengths among them. */
function mutate(bytes: Buffer, random: (below: number) => number): Buffer {
  let changed = Buffer.from(bytes)
  for (let n = random(4); n > 0 && changed.length > 0; n--) {
    const at = random(changed.length)
    const before = changed.subarray(0, at)
    const change = random(6)
    if (change === 0) changed[at] = changed[at]! ^ (1 << random(8))
    else if (change === 1) changed[at] = [0, 0xff, 0x7f, 0x80][random(4)]!
    else if (change === 2) changed = Buffer.concat([before, changed.subarray(at + 1 + random(4))])
    else if (change === 3) changed = Buffer.concat([changed, changed.subarray(at)])
    else if (change === 4)
      changed = Buffer.concat([before, Buffer.from([random(256), random(256)]), changed.subarray(at)])
    else changed = before
  }
  return changed
}

/** One connection of an attacker. */
async function attack(bench: BenchEngine, random: (below: number) => number): Promise<void> {
  const who = identity('device', 'eve')
  const isConnected = random(3) > 0
  const client: WireClient = isConnected ? await bench.connect(who, random(2) === 0) : bench.open(who)
  const packets = isConnected ? afterConnect : [connect, ...afterConnect]
  const first = isConnected ? [] : [mutate(generate(connect), random)]
  const rest = Array.from({ length: random(8) }, () =>
    mutate(generate(packets[random(packets.length)]!), random),
  )
  const bytes = Buffer.concat([...first, ...rest])
  // In pieces of any size, now and then with a turn between them.
  for (let at = 0; at < bytes.length;) {
    const size = 1 + random(bytes.length)
    client.send(bytes.subarray(at, at + size))
    at += size
    if (random(2) === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  await new Promise((resolve) => setImmediate(resolve))
  client.stream.destroy()
}

test(
  `mutated packets, before and after CONNECT, for ${seconds} s with seed ${seed}, cost neither the broker nor its memory`,
  { timeout: (seconds + 120) * 1_000 },
  async () => {
    const rate = { perSecond: 1e9, burst: 1e9 }
    const bench = await startBenchEngine({ connectRate: rate, messageRate: rate, byteRate: rate })
    const bob = await bench.connect(identity('device', 'bob'))
    await bob.subscribe('devices/bob/commands/#')
    let connections = 0

    async function attackUntil(end: number): Promise<number> {
      while (performance.now() < end) {
        for (let n = 0; n < 50; n++) await attack(bench, random)
        connections += 50
        await bob.ping()
      }
      await expectSoon(() => bench.counts.open === 1)
      return heapBytes()
    }

    const started = performance.now()
    const early = await attackUntil(started + seconds * 300)
    const late = await attackUntil(started + seconds * 1_000)
    expect(connections).toBeGreaterThan(seconds * 10)
    // What two looks at the same heap differ by is up to 6 MiB.
    expect((late - early) / 2 ** 20).toBeLessThan(16)
    // Nothing of it got to anybody.
    expect(bob.topics).toEqual([])
    await bench.engine.close()
  },
)
