import { afterAll, beforeAll, expect, test } from 'vitest'
import { judgedBy } from '../judged-by.ts'
import { openAddress, openLateLog } from './address.ts'
import { Client } from './client.ts'
import { serviceNamesake } from './namesake.ts'
import { type Node, type Nodes, policy, startNodes, until } from './nodes.ts'

judgedBy(['redis-server'], 'two brokers with one Redis', () => {
  let nodes: Nodes
  let one: Node
  let two: Node

  beforeAll(async () => {
    nodes = await startNodes(2)
    ;[one, two] = nodes.all as [Node, Node]
  })
  afterAll(() => nodes[Symbol.asyncDispose]())

  const readyz = async (node: Node): Promise<string> => node.operations('/readyz')

  test('are both ready, and say where their store is', async () => {
    for (const node of [one, two]) expect(await readyz(node)).toBe('{"status":"ready"}')
    expect(one.app.output()).toMatch(/"redis":"redis:.*store open/)
  })

  test('deliver what is published at the other one to whoever is connected, at each quality of service', async () => {
    const live = await nodes.client(two, 'live', { profile: 'service' })
    await live.subscribe('devices/crossing/#', 2)
    const device = await nodes.client(one, 'crossing')
    for (const qos of [0, 1, 2] as const)
      await device.publish(`devices/crossing/${qos}`, String(qos), { qos })
    await live.until(() => live.messages.length === 3)
    const found = live.messages.map(({ topic, qos }) => `${topic} ${qos}`)
    expect(new Set(found)).toEqual(new Set([0, 1, 2].map((qos) => `devices/crossing/${qos} ${qos}`)))
    await live.leave()
    await device.leave()
  })

  test('let a session follow its client, with its queue, and end it where it was', async () => {
    const first = await nodes.client(one, 'wanderer', { profile: 'service', clean: false })
    expect(first.connack.sessionPresent).toBe(false)
    await first.subscribe('devices/sender/#')
    const sender = await nodes.client(two, 'sender')
    await sender.publish('devices/sender/t', 'while at one')
    await first.until(() => first.texts().includes('while at one'))

    const second = await nodes.client(two, 'wanderer', { profile: 'service', clean: false })
    expect(second.connack).toMatchObject({ returnCode: 0, sessionPresent: true })
    await first.closed
    await sender.publish('devices/sender/t', 'while at two')
    await second.until(() => second.texts().length === 1)
    await second.leave()

    for (let n = 0; n < 50; n++) await sender.publish('devices/sender/t', `away ${n}`)
    const third = await nodes.client(one, 'wanderer', { profile: 'service', clean: false })
    await third.until(() => third.messages.length === 50)
    expect(third.texts()).toEqual(Array.from({ length: 50 }, (_, n) => `away ${n}`))
    expect([second.texts(), third.messages.some(({ dup }) => dup)]).toEqual([['while at two'], false])

    // Clean session 1, at the other one, ends it for good.
    const clean = await nodes.client(two, 'wanderer', { profile: 'service' })
    expect(clean.connack.sessionPresent).toBe(false)
    await third.closed
    await clean.leave()
    const anew = await nodes.client(one, 'wanderer', { profile: 'service', clean: false })
    expect(anew.connack.sessionPresent).toBe(false)
    await anew.leave()
    await sender.leave()
  })

  test('find the retained messages of each other as soon as they are acknowledged', async () => {
    const device = await nodes.client(one, 'keeper')
    const reader = await nodes.client(two, 'reader', { profile: 'service', clean: false })
    for (let n = 0; n < 50; n++) {
      await device.publish(`devices/keeper/${n}`, `kept ${n}`, { retain: true })
      await reader.subscribe(`devices/keeper/${n}`)
    }
    await reader.until(() => reader.messages.filter(({ retain }) => retain).length === 50)
    await device.publish('devices/keeper/0', '', { retain: true })
    const later = await nodes.client(two, 'later', { profile: 'service' })
    await later.subscribe('devices/keeper/#')
    await later.until(() => later.messages.length === 49)
    expect(later.texts()).not.toContain('kept 0')
    for (const client of [device, reader, later]) await client.leave()
  })

  test('miss no message for a filter that was granted at the other one before it came, also when news is late', async () => {
    await using late = await openLateLog(nodes.redis.port, 100)
    const slow = await nodes.start({ args: [`--redis=${late.url}`] })
    for (const publishing of [one, slow]) {
      const device = await nodes.client(publishing, 'publisher')
      for (let session = 0; session < 2; session++) {
        const service = await nodes.client(two, `subscriber-${session}`, { profile: 'service', clean: false })
        for (let n = 0; n < 20; n++) {
          await service.subscribe(`devices/publisher/${session}/${n}/+`)
          await device.publish(`devices/publisher/${session}/${n}/x`, String(n))
        }
        await service.until(() => service.messages.length === 20)
        expect(service.texts()).toEqual(Array.from({ length: 20 }, (_, n) => String(n)))
        await service.leave()
        await (await nodes.client(two, `subscriber-${session}`, { profile: 'service' })).leave()
      }
      await device.leave()
    }
    await slow.app.stop()
  })

  test('hear each other also when a connection to Redis is dead and nobody has said so', async () => {
    await using address = await openAddress(nodes.redis.port)
    const third = await nodes.start({ args: [`--redis=${address.url}`] })
    const reader = await nodes.client(third, 'listener', { profile: 'service', clean: false })
    await reader.subscribe('devices/talker/#')
    const device = await nodes.client(one, 'talker')
    for (const name of ['fleetroot-broker-log', 'fleetroot-broker-live']) address.mute(name)
    await device.publish('devices/talker/t', 'kept')
    await reader.until(() => reader.texts().includes('kept'))
    const isHeard = async (): Promise<boolean> => {
      await device.publish('devices/talker/t', 'live', { qos: 0 })
      return reader.texts().includes('live')
    }
    await until(isHeard, () => 'messages that nobody keeps are not heard')
    expect(third.app.output()).toContain('does not answer where the log is read')
    expect([reader.isClosed, device.isClosed]).toEqual([false, false])
    for (const client of [reader, device]) await client.leave()
    await third.app.stop()
  })

  test('queue for a session what its owner may receive now, not what it could when it subscribed', async () => {
    const service = await nodes.client(one, 'limited', { profile: 'service', clean: false })
    await service.subscribe('devices/#')
    await service.leave()
    const device = await nodes.client(two, 'chatty')
    await device.publish('devices/chatty/secret', 'before')
    nodes.setPolicy(
      policy.replace("subscribe: ['devices/#', 'fleet/#']", "subscribe: ['devices/+/open', 'fleet/#']"),
    )
    for (const node of [one, two]) {
      await until(
        async () => (await node.operations('/v1/policy')).includes('devices/+/open'),
        () => node.app.output(),
      )
    }
    await device.publish('devices/chatty/secret', 'after')
    await device.publish('devices/chatty/open', 'for all')
    const back = await nodes.client(two, 'limited', { profile: 'service', clean: false })
    await back.until(() => back.messages.length > 0)
    expect(back.texts()).toEqual(['for all'])
    nodes.setPolicy(policy)
    await back.leave()
    await device.leave()
  })

  test('end the sessions of a device that is revoked, wherever they are', async () => {
    const stored = await nodes.client(one, 'thief', { clean: false })
    await stored.subscribe('devices/thief/commands/#')
    await stored.leave()
    const service = await nodes.client(one, 'commander', { profile: 'service' })
    await service.publish('devices/thief/commands/x', 'come back')
    const moved = await nodes.client(two, 'thief', { clean: false })
    await moved.until(() => moved.texts().includes('come back'))
    const answer = await nodes.admin.call('POST', '/v1/devices/thief/revoke', {})
    expect(answer.status).toBe(200)
    await moved.closed
    await expect(nodes.client(one, 'thief', { clean: false })).rejects.toThrow(/closed|reset|certificate/i)
    await service.leave()
  })

  test('say once, together, who is connected', async () => {
    const watcher = await nodes.client(two, 'watcher', { profile: 'service' })
    await watcher.subscribe('fleet/presence/nomad')
    const first = await nodes.client(one, 'nomad')
    await watcher.until(() => watcher.messages.length === 1)
    const second = await nodes.client(two, 'nomad')
    await first.closed
    await second.leave()
    await watcher.until(() => (watcher.texts().at(-1) ?? '').includes('"online":false'))
    const states = watcher
      .texts()
      .map((text) => JSON.parse(text) as { online: boolean; version: number; reason: string })
    expect(states.map(({ online }) => online).filter((online) => !online)).toHaveLength(1)
    expect(states.at(-1)).toMatchObject({ online: false, reason: 'disconnected' })
    expect(states.map(({ version }) => version)).toEqual(
      states.map(({ version }) => version).sort((a, b) => a - b),
    )
    const late = await nodes.client(one, 'late', { profile: 'service' })
    await late.subscribe('fleet/presence/nomad')
    await late.until(() => late.messages.length === 1)
    expect(late.texts()[0]).toBe(watcher.texts().at(-1))
    await late.leave()
    await watcher.leave()
  })

  test('say it of devices: a service with the id of one, at another node, changes nothing', async () => {
    const watcher = await nodes.client(two, 'watcher', { profile: 'service' })
    await watcher.subscribe('fleet/presence/twin')
    const device = await nodes.client(one, 'twin')
    const service = await Client.connect({
      url: two.url,
      root: nodes.root,
      clientId: 'twin',
      identity: await serviceNamesake(nodes.data, 'twin'),
    })
    expect(service.connack.returnCode).toBe(0)
    await device.leave()
    await watcher.until(() => watcher.messages.length === 2)
    await service.leave()
    const again = await nodes.client(one, 'twin')
    await watcher.until(() => watcher.messages.length === 3)
    const states = watcher.texts().map((text) => JSON.parse(text) as { online: boolean; serial: string })
    expect(states.map(({ online }) => online)).toEqual([true, false, true])
    expect(new Set(states.map(({ serial }) => serial)).size).toBe(1)
    for (const client of [watcher, again]) await client.leave()
  })
})
