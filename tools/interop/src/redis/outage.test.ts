import { expect, test } from 'vitest'
import { judgedBy } from '../judged-by.ts'
import { type Node, type Nodes, startNodes, until } from './nodes.ts'

const readyz = '{"status":"ready"}'

async function becomesReady(nodes: Nodes): Promise<void> {
  for (const node of nodes.all) {
    await until(
      async () => (await node.operations('/readyz')) === readyz,
      () => node.app.output(),
    )
  }
}

async function saysWhy(node: Node, reason: RegExp): Promise<void> {
  await until(
    async () => reason.test(await node.operations('/readyz')),
    () => node.app.output(),
  )
}

// All of it is waiting: at the same time.
judgedBy(['redis-server'], 'while there is no Redis', () => {
  test.concurrent('because it is stopped, brokers say so, acknowledge nothing and let nobody in; and go on by themselves', async () => {
    await using nodes = await startNodes(2)
    const [one, two] = nodes.all as [Node, Node]
    const reader = await nodes.client(two, 'reader', { profile: 'service', clean: false })
    await reader.subscribe('devices/#')
    await reader.leave()
    const device = await nodes.client(one, 'pump')
    await device.publish('devices/pump/t', 'before')
    await device.publish('devices/pump/state', 'on', { retain: true })

    await nodes.redis.stop()
    await expect(device.publish('devices/pump/t', 'meanwhile')).rejects.toThrow('the connection ended')
    for (const node of [one, two]) await saysWhy(node, /"store":".*Redis at redis:.*acknowledged/)
    const refused = await nodes.client(two, 'late')
    expect(refused.connack).toMatchObject({ returnCode: 3 })

    await nodes.redis.start()
    await becomesReady(nodes)
    const again = await nodes.client(two, 'pump')
    await again.publish('devices/pump/t', 'after')
    const back = await nodes.client(one, 'reader', { profile: 'service', clean: false })
    await back.until(() => back.texts().includes('after'))
    // What was not acknowledged may have got through or not.
    expect(back.texts().filter((text) => text !== 'meanwhile')).toEqual(['before', 'on', 'after'])
    await back.subscribe('devices/+/state')
    await back.until(() => back.messages.some(({ retain }) => retain))
    for (const client of [again, back]) await client.leave()
  })

  // With the times that brokers have by default. When the last of them is over nothing is held any more, and all that is left is attempts
  // to connect, one like the other, a second apart and given up after five: a minute more, or a night, is more of the same.
  test.concurrent('because it is frozen, sessions end when others could have them; after longer than brokers wait for anything all is there again', async () => {
    await using nodes = await startNodes(2, undefined, { args: ['--redis-node-timeout=10s'] })
    const [one, two] = nodes.all as [Node, Node]
    const reader = await nodes.client(two, 'reader', { profile: 'service', clean: false })
    await reader.subscribe('devices/#', 2)
    await reader.leave()
    const device = await nodes.client(one, 'pump')
    const kept = Array.from({ length: 50 }, (_, n) => `${n}`)
    for (const text of kept)
      await device.publish('devices/pump/t', text, { qos: Number(text) % 2 === 0 ? 1 : 2 })
    await device.publish('devices/pump/state', 'on', { retain: true })
    const idle = await nodes.client(one, 'idle')
    nodes.redis.freeze()
    await saysWhy(one, /does not answer/)
    await expect(device.publish('devices/pump/t', 'meanwhile')).rejects.toThrow('the connection ended')
    await idle.closed
    expect(one.app.output()).toMatch(
      /does not answer[\s\S]*"deviceId":"idle"[^\n]*"reason":"store-failed"[^\n]*session ended/,
    )
    for (const node of [one, two]) {
      await saysWhy(node, /it takes connections and does not answer/)
      expect((await nodes.client(node, 'late')).connack).toMatchObject({ returnCode: 3 })
    }

    nodes.redis.thaw()
    await becomesReady(nodes)
    const again = await nodes.client(two, 'pump')
    await again.publish('devices/pump/t', 'after', { qos: 2 })
    const back = await nodes.client(one, 'reader', { profile: 'service', clean: false })
    await back.until(() => back.texts().includes('after'))
    expect(back.texts().filter((text) => text !== 'meanwhile')).toEqual([...kept, 'on', 'after'])
    const later = await nodes.client(two, 'later', { profile: 'service' })
    await later.subscribe('devices/+/state')
    await later.until(() => later.texts().includes('on'))
    for (const client of [again, back, later]) await client.leave()
  })
})

judgedBy(['redis-server'], 'a node that stands still', () => {
  test('is given up when what it has not read is too much, long before it is dead', async () => {
    await using nodes = await startNodes(2, undefined, {
      args: ['--redis-log-size=1MiB', '--redis-node-timeout=1h'],
    })
    const [still, other] = nodes.all as [Node, Node]
    const known = async (): Promise<string> => nodes.redis.ask('HLEN', 'fleetroot:nodes')
    expect(await known()).toBe(':2\r\n')
    process.kill(still.app.pid, 'SIGSTOP')
    const device = await nodes.client(other, 'pump')
    for (let n = 0; n < 20; n++) await device.publish('devices/pump/t', 'x'.repeat(100_000))
    await until(
      async () => (await known()) === ':1\r\n',
      () => other.app.output(),
    )
    // Nobody needs it any more.
    await until(
      async () => Number((await nodes.redis.ask('XLEN', 'fleetroot:log')).slice(1)) < 5,
      () => other.app.output(),
    )
    process.kill(still.app.pid, 'SIGCONT')
    await until(
      () => still.app.output().includes('this node may have been given up by the others'),
      () => still.app.output(),
    )
    await becomesReady(nodes)
    await device.publish('devices/pump/t', 'and after')
    await device.leave()
  })
})
