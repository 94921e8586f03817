import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { judgedBy } from '../judged-by.ts'
import { openLateLog } from './address.ts'
import { type Node, type Nodes, startNodes, until } from './nodes.ts'

judgedBy(['redis-server'], 'topic filters that change at another node', () => {
  let nodes: Nodes
  let near: Node
  let slow: Node
  let late: Awaited<ReturnType<typeof openLateLog>>

  beforeAll(async () => {
    nodes = await startNodes(1)
    ;[near] = nodes.all as [Node]
    late = await openLateLog(nodes.redis.port, 300)
    slow = await nodes.start({ args: [`--redis=${late.url}`] })
  })
  afterAll(async () => {
    await nodes[Symbol.asyncDispose]()
    await late[Symbol.asyncDispose]()
  })

  test('delay nobody who publishes, however often they do so and however late a node hears of it', async () => {
    const flippers = await Promise.all(
      ['flip-0', 'flip-1', 'flip-2'].map((id) => nodes.client(near, id, { clean: false })),
    )
    const load = { isOver: false }
    const flips = flippers.map(async (client, n) => {
      for (let qos: 0 | 1 = 0; !load.isOver; qos = qos === 0 ? 1 : 0)
        await client.subscribe(`devices/flip-${n}/commands/#`, qos)
    })
    const reader = await nodes.client(near, 'reader', { profile: 'service', clean: false })
    await reader.subscribe('devices/calm/#')
    const calm = await nodes.client(slow, 'calm')
    // Of each of these the node hears of changes while it is on its way.
    for (let n = 0; n < 20; n++) await calm.publish('devices/calm/t', String(n))
    await reader.until(() => reader.messages.length === 20)
    load.isOver = true
    await Promise.all(flips)
    expect(reader.texts()).toEqual(Array.from({ length: 20 }, (_, n) => String(n)))
    for (const client of [...flippers, reader, calm]) await client.leave()
  })

  test('are counted for an identity at all nodes together', async () => {
    const all = Array.from({ length: 100 }, (_, n) => `devices/greedy/commands/${n}`)
    const greedy = await nodes.client(near, 'greedy')
    for (let n = 0; n < 9; n++) await greedy.subscribe(all)
    await greedy.leave()
    const again = await nodes.client(slow, 'greedy')
    for (let n = 0; n < 3; n++) await again.subscribe(all)
    // 1,000 may be changed at once, and 20 a second.
    await until(
      async () => {
        await again.publish('devices/greedy/t', 'x', { qos: 0 })
        return /held_back_total\{limit="filter-rate"\} [1-9]/.test(await slow.operations('/metrics'))
      },
      () => slow.app.output(),
    )
    expect(again.isClosed).toBe(false)
    await again.leave('abruptly')
  })

  describe('decide at once who gets a message', () => {
    const cases: [filter: string, topic: string, isWanted: boolean][] = [
      ['devices/judge/a', 'devices/judge/a', true],
      ['devices/judge/a', 'devices/judge/ab', false],
      ['devices/judge/a', 'devices/judge/a/b', false],
      ['devices/judge/a/b', 'devices/judge/a', false],
      ['devices/judge/#', 'devices/judge', true],
      ['devices/judge/#', 'devices/judge/a/b', true],
      ['devices/judge/#', 'devices/judges', false],
      ['devices/judge/+', 'devices/judge/a', true],
      ['devices/judge/+', 'devices/judge', false],
      ['devices/judge/+', 'devices/judge/a/b', false],
      ['devices/+/a/+/b', 'devices/judge/a/x/b', true],
      ['devices/+/a/+/b', 'devices/judge/a/x/c', false],
      ['devices/+/a/#', 'devices/judge/a', true],
      ['devices/judge/%a', 'devices/judge/%a', true],
    ]

    test('when a filter is granted, and when it is given up', async () => {
      nodes.setPolicy(`version: 1
roles:
  service: { clientIds: ['\${id}'], publish: ['devices/#'], subscribe: ['devices/#'] }
  device: { clientIds: ['\${id}'], publish: ['devices/#'], subscribe: ['devices/#'] }
`)
      for (const node of [near, slow]) await node.operations('/v1/policy/reload', 'POST')
      const stored = await nodes.client(near, 'stored', { profile: 'service', clean: false })
      const publisher = await nodes.client(slow, 'judge')
      const wanted: string[] = []
      for (const [index, [filter, topic, isWanted]] of cases.entries()) {
        await stored.subscribe(filter, 2)
        await publisher.publish(topic, `granted ${index}`)
        await stored.unsubscribe(filter)
        await publisher.publish(topic, `given up ${index}`)
        if (isWanted) wanted.push(`granted ${index}`)
      }
      await stored.subscribe('devices/judge/end')
      await publisher.publish('devices/judge/end', 'end')
      await stored.until(() => stored.texts().includes('end'))
      expect(stored.texts()).toEqual([...wanted, 'end'])
      for (const client of [stored, publisher]) await client.leave()
    })

    test('when it is given up, or its session ends, after the node has known it for a while', async () => {
      const listener = await nodes.client(slow, 'listener', { profile: 'service' })
      await listener.subscribe('devices/teller/#')
      const teller = await nodes.client(near, 'teller')
      const publisher = await nodes.client(slow, 'known')
      const found: string[] = []
      for (const how of ['given up', 'ended', 'kept']) {
        const stored = await nodes.client(near, 'knower', { profile: 'service', clean: false })
        await stored.subscribe('devices/known/#')
        await teller.publish('devices/teller/t', how)
        await listener.until(() => listener.texts().includes(how))
        // From here on the node knows the filter, and not what becomes of it.
        if (how === 'given up') await stored.unsubscribe('devices/known/#')
        else await stored.subscribe('devices/known/other/#')
        await stored.leave()
        if (how === 'ended') await (await nodes.client(near, 'knower', { profile: 'service' })).leave()
        await publisher.publish('devices/known/t', how)
        const back = await nodes.client(near, 'knower', { profile: 'service', clean: false })
        await back.subscribe('devices/known/end')
        await publisher.publish('devices/known/end', 'end')
        await back.until(() => back.texts().includes('end'))
        found.push(...back.texts())
        await back.leave()
        await (await nodes.client(near, 'knower', { profile: 'service' })).leave()
      }
      expect(found).toEqual(['end', 'end', 'kept', 'end'])
      for (const client of [listener, teller, publisher]) await client.leave()
    })

    test('at the quality of service that all filters of the session ask for', async () => {
      const stored = await nodes.client(near, 'several', { profile: 'service', clean: false })
      const publisher = await nodes.client(slow, 'quality')
      await stored.subscribe('devices/quality/#', 2)
      await publisher.publish('devices/quality/t', 'two', { qos: 2 })
      await stored.subscribe('devices/quality/t', 1)
      await publisher.publish('devices/quality/t', 'still two', { qos: 2 })
      await stored.unsubscribe('devices/quality/#')
      await publisher.publish('devices/quality/t', 'one', { qos: 2 })
      await publisher.publish('devices/quality/t', 'one of one')
      await stored.until(() => stored.messages.length === 4)
      expect(stored.messages.map(({ payload, qos }) => `${payload.toString()} ${qos}`)).toEqual([
        'two 2',
        'still two 2',
        'one 1',
        'one of one 1',
      ])
      for (const client of [stored, publisher]) await client.leave()
    })

    test('when the session ends, and begins anew under the same name', async () => {
      const publisher = await nodes.client(slow, 'ender')
      for (let round = 0; round < 3; round++) {
        const stored = await nodes.client(near, 'passing', { profile: 'service', clean: false })
        await stored.subscribe('devices/ender/#')
        await stored.leave()
        await (await nodes.client(near, 'passing', { profile: 'service' })).leave()
        await publisher.publish('devices/ender/t', 'to nobody')
        const anew = await nodes.client(near, 'passing', { profile: 'service', clean: false })
        expect(anew.connack.sessionPresent).toBe(false)
        await anew.subscribe('devices/ender/now')
        await publisher.publish('devices/ender/t', 'to nobody either')
        await publisher.publish('devices/ender/now', 'heard')
        await anew.until(() => anew.messages.length > 0)
        expect(anew.texts()).toEqual(['heard'])
        await anew.leave()
        await (await nodes.client(near, 'passing', { profile: 'service' })).leave()
      }
      await publisher.leave()
    })
  })
})
