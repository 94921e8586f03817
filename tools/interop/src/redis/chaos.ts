import { setTimeout as delay } from 'node:timers/promises'
import { type Address, openAddress } from './address.ts'
import { startLoad } from './load.ts'
import { type Node, startNodes, until } from './nodes.ts'

// Two brokers on one Redis, each behind an address that cuts, mutes and delays at random, while Redis is killed, frozen and started
// again. What was acknowledged has to arrive, at QoS 2 once, and no broker may end: `npx nx run interop:chaos`, with
// FLEETROOT_CHAOS_SECONDS (20) for how long at most: a queue may have 65,000 messages, and drops the oldest of more.

const seconds = Number(process.env['FLEETROOT_CHAOS_SECONDS'] ?? 20)
const commands =
  'client info script subscribe xread evalsha eval ping hscan hgetall time publish xrevrange set'.split(' ')
const names = ['', '-log', '-live', '-tickets'].map((end) => `fleetroot-broker${end}`)

const below = (count: number): number => Math.floor(Math.random() * count)
const any = <Item>(items: readonly Item[]): Item => items[below(items.length)]!

await using nodes = await startNodes(0)
const addresses = [await openAddress(nodes.redis.port), await openAddress(nodes.redis.port)]
const most = 50_000
const env = { FLEETROOT_BROKER_TICKET_SECRET: 'what both nodes know and Redis does not know' }
const queues = ['--max-queued=65000', '--max-queued-size=200MiB', '--max-queued-size-total=900MiB']
const [one, two] = (await Promise.all(
  addresses.map(({ url }) =>
    nodes.start({ args: [`--redis=${url}`, '--redis-node-timeout=5s', ...queues], env }),
  ),
)) as [Node, Node]

const faults: Readonly<Record<string, (address: Address) => void | Promise<void>>> = {
  'cut all connections': (address) => address.cut(),
  'cut one at a command': (address) => {
    void address.cutAt(any(commands))
    if (below(2) === 0) address.cut()
  },
  'cut again at once': async (address) => {
    address.cut()
    await delay(below(120))
    address.cut()
  },
  'mute one': (address) => {
    try {
      address.mute(any(names))
    } catch {
      // It is being made.
    }
  },
  'delay one': (address) => address.delay(any(names), below(400)),
  'delay none': undelay,
  'kill Redis': async () => {
    await nodes.redis.kill()
    await nodes.redis.start()
  },
  'freeze Redis': async () => {
    nodes.redis.freeze()
    await delay(below(1_500))
    nodes.redis.thaw()
  },
}

function undelay(): void {
  for (const address of addresses) for (const name of names) address.delay(name, 0)
}

let turn = 0
const load = await startLoad(nodes, () => ((turn += 1) % 2 === 0 ? one : two))
const counts = new Map<string, number>()
const end = performance.now() + seconds * 1_000
while (performance.now() < end && load.acknowledged() < most) {
  const fault = any(Object.keys(faults))
  counts.set(fault, (counts.get(fault) ?? 0) + 1)
  await faults[fault]!(any(addresses))
  for (const node of [one, two]) await node.operations('/livez')
  await delay(below(1_200))
}
undelay()
await load.settle()
for (const node of [one, two]) {
  await until(
    async () => (await node.operations('/readyz')) === '{"status":"ready"}',
    () => node.app.output(),
  )
}
const met = [...counts].map(([fault, count]) => `${count} × ${fault}`).join(', ')
const acknowledged = load.acknowledged().toLocaleString('en')
process.stdout.write(`${met}\n${acknowledged} acknowledged, none lost, none twice at QoS 2\n`)
for (const address of addresses) await address[Symbol.asyncDispose]()
