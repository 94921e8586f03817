import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { judgedBy } from '../judged-by.ts'
import { type Node, type Nodes, startNodes, until } from './nodes.ts'

/** Retained messages of one device. */
const maxRetained = 10
/** Bytes that are retained, of all. */
const maxRetainedInTotal = 300_000

const policy = `version: 1
roles:
  device: { clientIds: any, publish: ['devices/\${id}/#'], retain: ['devices/\${id}/#'], subscribe: [] }
  service: { clientIds: any, publish: ['devices/#'], retain: ['devices/#'], subscribe: ['devices/#', 'fleet/#'] }
`

judgedBy(['redis-server'], 'what waits in Redis', () => {
  let nodes: Nodes
  let one: Node
  let two: Node

  beforeAll(async () => {
    const queued = ['--max-queued=5', '--max-queued-size=8KiB']
    const retained = [`--max-retained=${maxRetained}`, '--max-retained-size=4KiB']
    const total = `--max-retained-size-total=${maxRetainedInTotal}B`
    nodes = await startNodes(0, undefined, { args: [...queued, ...retained, total, '--max-denials=100000'] })
    nodes.setPolicy(policy)
    ;[one, two] = await Promise.all([nodes.start(), nodes.start()])
  })
  afterAll(() => nodes[Symbol.asyncDispose]())

  const dropped = async (reason: string): Promise<number> => {
    const metrics = await two.operations('/metrics')
    return Number(new RegExp(`dropped_total\\{reason="${reason}"\\} (\\d+)`).exec(metrics)?.[1] ?? 0)
  }

  /** What a session finds at one node that was away while this was published at the other one. */
  async function found(id: string, payloads: readonly string[]): Promise<string[]> {
    const away = await nodes.client(one, id, { profile: 'service', clean: false })
    await away.subscribe(`devices/${id}-sender/#`)
    await away.leave()
    const sender = await nodes.client(two, `${id}-sender`)
    for (const payload of payloads) await sender.publish(`devices/${id}-sender/t`, payload)
    await sender.leave()
    const back = await nodes.client(one, id, { profile: 'service', clean: false })
    await back.until(() => back.texts().at(-1) === payloads.at(-1))
    await back.leave()
    return back.texts()
  }

  test('is bounded in number for each session: the oldest go, and are counted', async () => {
    expect(await found('many', ['1', '2', '3', '4', '5', '6', '7', '8'])).toEqual(['4', '5', '6', '7', '8'])
    expect(await dropped('queue-messages')).toBe(3)
  })

  test('is bounded in octets for each session', async () => {
    const large = (name: string): string => name.repeat(3000)
    expect(await found('large', ['a', 'b', 'c', 'd'].map(large))).toEqual(['c', 'd'].map(large))
    expect(await dropped('queue-bytes')).toBe(2)
  })

  /** Retained messages below `devices/<id>/`. */
  async function kept(id: string): Promise<number> {
    const script = `local count = 0
      for _, topic in ipairs(redis.call('HKEYS', 'fleetroot:retained')) do
        if string.find(topic, ARGV[1], 1, true) == 1 then count = count + 1 end
      end
      return count`
    return Number((await nodes.redis.ask('EVAL', script, '0', `devices/${id}/`)).slice(1))
  }

  async function denied(): Promise<number> {
    const pages = await Promise.all([one, two].map((node) => node.operations('/metrics')))
    const counts = pages.map((page) =>
      Number(/denied_total\{action="publish",reason="too-many-retained"\} (\d+)/.exec(page)?.[1] ?? 0),
    )
    return counts.reduce((sum, count) => sum + count)
  }

  const topics = (id: string, name: string, count: number, payload = 'x'): Record<string, string> =>
    Object.fromEntries(Array.from({ length: count }, (_, n) => [`devices/${id}/${name}/${n}`, payload]))

  /** What the script counts is what each node finds in its memory. */
  async function expectExactCounts(): Promise<void> {
    const counted = async (): Promise<number> => {
      const answer = await nodes.redis.ask('HGET', 'fleetroot:shares:bytes', '')
      return Number(answer.split('\r\n')[1])
    }
    const known = async (node: Node): Promise<number> =>
      Number(/retained_bytes (\d+)/.exec(await node.operations('/metrics'))?.[1])
    for (const node of nodes.all) {
      await until(
        async () => (await counted()) === (await known(node)),
        () => 'Redis counts otherwise than memory',
      )
    }
  }

  describe('and is retained', () => {
    test('is bounded in number for each device, also where it sends all of it at once, to two nodes', async () => {
      const before = await denied()
      const watcher = await nodes.client(one, 'watcher', { profile: 'service' })
      await watcher.subscribe('devices/hoarder/#')
      const here = await nodes.client(one, 'hoarder', { clientId: 'here' })
      const there = await nodes.client(two, 'hoarder', { clientId: 'there' })
      await Promise.all([
        here.retain(topics('hoarder', 'here', 100)),
        there.retain(topics('hoarder', 'there', 50)),
        there.retain(topics('hoarder', 'there-twice', 50), 2),
      ])
      expect(await kept('hoarder')).toBe(maxRetained)
      expect((await denied()) - before).toBe(200 - maxRetained)
      // What was denied went nowhere.
      await there.publish('devices/hoarder/mark', 'x')
      await watcher.until(() => watcher.messages.some(({ topic }) => topic === 'devices/hoarder/mark'))
      expect(watcher.messages).toHaveLength(maxRetained + 1)
      for (const client of [watcher, here, there]) await client.leave()
    })

    test('is bounded for wills: one without room goes nowhere', async () => {
      const watcher = await nodes.client(one, 'watcher', { profile: 'service' })
      await watcher.subscribe('devices/testator/#')
      await watcher.subscribe('fleet/presence/testator')
      const will = {
        topic: 'devices/testator/will',
        payload: Buffer.from('x'),
        qos: 1,
        retain: true,
      } as const
      const device = await nodes.client(one, 'testator', { will })
      await device.retain(topics('testator', 't', maxRetained))
      await device.leave('abruptly')
      // Said after the will.
      await watcher.until(() => watcher.texts('fleet/presence/testator').at(-1)?.includes('false') === true)
      expect(watcher.texts('devices/testator/will')).toEqual([])
      expect(await kept('testator')).toBe(maxRetained)
      await watcher.leave()
    })

    test('is bounded at QoS 0, too', async () => {
      const device = await nodes.client(one, 'hasty')
      await device.retain(topics('hasty', 't', 100), 0)
      await device.publish('devices/hasty/mark', 'x')
      expect(await kept('hasty')).toBe(maxRetained)
      await device.leave()
    })

    test('is bounded in octets for each device, and has room again as soon as something is cleared anywhere', async () => {
      const device = await nodes.client(one, 'heavy', { clientId: 'here' })
      await device.retain(topics('heavy', 't', 20, 'x'.repeat(1000)))
      expect(await kept('heavy')).toBe(3)
      const there = await nodes.client(two, 'heavy', { clientId: 'there' })
      for (let n = 0; n < 10; n += 1) {
        await device.retain({ [`devices/heavy/t/${n}`]: '' })
        await there.retain({ [`devices/heavy/t/${n + 3}`]: 'y'.repeat(1000) })
      }
      expect(await kept('heavy')).toBe(3)
      // In its own place a message may grow as far as there is room, and no further.
      await there.retain({ 'devices/heavy/t/12': 'y'.repeat(1400), 'devices/heavy/t/11': 'y'.repeat(1400) })
      await expectExactCounts()
      const reader = await nodes.client(two, 'reader', { profile: 'service' })
      await reader.subscribe('devices/heavy/#')
      await reader.until(() => reader.messages.length === 3)
      expect(new Set(reader.texts().map(({ length }) => length))).toEqual(new Set([1000, 1400]))
      for (const client of [device, there, reader]) await client.leave()
    })

    test('belongs to who retained it last', async () => {
      const device = await nodes.client(one, 'tenant')
      await device.retain(topics('tenant', 't', maxRetained))
      const service = await nodes.client(two, 'landlord', { profile: 'service' })
      await service.retain({ 'devices/tenant/t/0': 'taken over' })
      await device.retain(topics('tenant', 'more', 2))
      expect(await kept('tenant')).toBe(maxRetained + 1)
      await expectExactCounts()
      // A store in which nobody has counted is counted when the next node begins.
      await nodes.redis.ask('DEL', 'fleetroot:shares:messages', 'fleetroot:shares:bytes')
      await nodes.start()
      await expectExactCounts()
      await device.retain(topics('tenant', 'and-more', 2))
      expect(await kept('tenant')).toBe(maxRetained + 1)
      for (const client of [device, service]) await client.leave()
      await nodes.all.pop()!.app.stop()
    })

    test('is bounded in octets for all together', async () => {
      const clients = await Promise.all(
        [one, two].map((node, n) => nodes.client(node, `console-${n}`, { profile: 'service' })),
      )
      const payload = 'x'.repeat(20_000)
      await Promise.all(clients.map((client, n) => client.retain(topics(`console-${n}`, 't', 15, payload))))
      const sum = (await kept('console-0')) + (await kept('console-1'))
      expect(sum * 20_000).toBeLessThan(maxRetainedInTotal)
      expect(sum).toBeGreaterThanOrEqual(13)
      await expectExactCounts()
      for (const client of clients) await client.leave()
    })
  })

  test('goes to the node that has its client now; one that stood still is told nothing and keeps nothing more', async () => {
    const before = await nodes.client(one, 'sleeper', { profile: 'service', clean: false })
    await before.subscribe('devices/waker/#')
    process.kill(one.app.pid, 'SIGSTOP')
    const waker = await nodes.client(two, 'waker')
    await waker.publish('devices/waker/t', 'while one stands still')
    const after = await nodes.client(two, 'sleeper', { profile: 'service', clean: false })
    expect(after.connack).toMatchObject({ returnCode: 0, sessionPresent: true })
    await after.until(() => after.texts().includes('while one stands still'))
    process.kill(one.app.pid, 'SIGCONT')
    await before.closed
    expect(before.texts()).toEqual([])
    await until(
      () => one.app.output().includes('this node may have been given up by the others'),
      () => one.app.output(),
    )
    await until(
      async () => (await one.operations('/readyz')) === '{"status":"ready"}',
      () => one.app.output(),
    )
    await waker.publish('devices/waker/t', 'and after')
    await after.until(() => after.texts().includes('and after'))
    for (const client of [waker, after]) await client.leave()
  })
})
