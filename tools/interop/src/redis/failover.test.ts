import { freePort, type Link, openLink, type RedisServer, startRedis } from '@fleetroot/harness'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Address, openAddress } from './address.ts'
import { judgedBy } from '../judged-by.ts'
import type { Client } from './client.ts'
import { type Node, type Nodes, startNodes, until } from './nodes.ts'

/** As it is by default; and a replica need not wait for others that might come. */
const quick = ['--appendonly', 'yes', '--appendfsync', 'always', '--repl-diskless-sync-delay', '0']
const readyz = '{"status":"ready"}'

judgedBy(['redis-server'], 'when a replica takes the place of the master', () => {
  let nodes: Nodes
  let one: Node
  let two: Node
  let first: RedisServer
  let second: RedisServer
  /** The way on which the second one follows the first one. */
  let replication: Link
  let address: Address
  /** The way of the second node, which leads elsewhere when networks are parted. */
  let otherWay: Address
  const lead = (port: number): void => [address, otherWay].forEach((way) => way.lead(port))

  beforeAll(async () => {
    first = await startRedis(quick)
    replication = await openLink(first.port)
    second = await startRedis(quick)
    address = await openAddress(first.port)
    otherWay = await openAddress(first.port)
    nodes = await startNodes(0)
    const env = { FLEETROOT_BROKER_TICKET_SECRET: 'what both nodes know and Redis does not know' }
    const start = (way: Address): Promise<Node> => nodes.start({ args: [`--redis=${way.url}`], env })
    ;[one, two] = await Promise.all([start(address), start(otherWay)])
  })
  afterAll(async () => {
    await nodes[Symbol.asyncDispose]()
    for (const way of [address, otherWay]) await way[Symbol.asyncDispose]()
    await replication.close()
    for (const redis of [first, second]) await redis[Symbol.asyncDispose]()
  })

  const say = async (redis: RedisServer, name: string): Promise<string> =>
    new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(await redis.ask('INFO', 'replication'))?.[1] ?? ''

  /** Makes one follow another one, and waits until it has all that the other one has now. */
  async function follow(replica: RedisServer, master: RedisServer, port = master.port): Promise<void> {
    await replica.ask('REPLICAOF', '127.0.0.1', String(port))
    const isThere = async (): Promise<boolean> => (await say(replica, 'master_link_status')) === 'up'
    await until(isThere, () => 'the replica does not follow')
    await caughtUp(replica, master)
  }

  async function caughtUp(replica: RedisServer, master: RedisServer): Promise<void> {
    const wanted = Number(await say(master, 'master_repl_offset'))
    await until(
      async () => Number(await say(replica, 'slave_repl_offset')) >= wanted,
      () => 'the replica does not catch up',
    )
  }

  async function areReady(which = [one, two]): Promise<void> {
    for (const node of which) {
      await until(
        async () => (await node.operations('/readyz')) === readyz,
        () => node.app.output(),
      )
    }
  }

  /** Who connects at both nodes, one after the other, is connected at one of them. */
  async function expectOneOwner(id: string): Promise<Client> {
    let last: Client | undefined
    for (const node of [one, two, one, two]) {
      const next = await nodes.client(node, id, { clean: false })
      expect(next.connack.returnCode).toBe(0)
      await last?.closed
      last = next
    }
    return last!
  }

  test('late, sessions end, what it had is there, nobody has a session twice, and who was revoked stays out', async () => {
    await follow(second, first, replication.port)
    const reader = await nodes.client(one, 'reader', { profile: 'service', clean: false })
    await reader.subscribe('devices/#')
    await reader.leave()
    const pump = await nodes.client(one, 'pump', { clean: false })
    await pump.subscribe('devices/pump/commands/#')
    await pump.publish('devices/pump/t', 'replicated')
    await pump.publish('devices/pump/kept', 'replicated', { retain: true })
    const thief = await nodes.client(two, 'thief', { clean: false })
    await thief.subscribe('devices/thief/commands/#')
    await caughtUp(second, first)

    // From now on the replica hears nothing: as if it was behind when the master went.
    replication.set('cut')
    const moved = await nodes.client(two, 'pump', { clean: false })
    await pump.closed
    await moved.publish('devices/pump/t', 'lost')
    expect((await nodes.admin.call('POST', '/v1/devices/thief/revoke', {})).status).toBe(200)
    await thief.closed
    const idle = await nodes.client(one, 'idle')
    await first.kill()
    await second.ask('REPLICAOF', 'NO', 'ONE')
    lead(second.port)
    await Promise.all([moved.closed, idle.closed])
    await areReady()

    const back = await nodes.client(two, 'reader', { profile: 'service', clean: false })
    expect(back.connack.sessionPresent).toBe(true)
    const again = await expectOneOwner('pump')
    expect(again.connack.sessionPresent).toBe(true)
    await again.publish('devices/pump/t', 'after')
    await back.until(() => back.texts().includes('after'))
    expect(back.texts()).toEqual(['replicated', 'replicated', 'after'])
    await expect(nodes.client(one, 'thief', { clean: false })).rejects.toThrow(/closed|reset|certificate/i)
    for (const client of [again, back]) await client.leave()
  })

  test('because it stands still, brokers leave it, and are not with it when it goes on', async () => {
    // What comes back is another one: it has begun anew.
    await first.start()
    await follow(first, second)
    const device = await nodes.client(two, 'valve')
    const idle = await nodes.client(one, 'idle')
    await device.publish('devices/valve/kept', 'on', { retain: true })
    await caughtUp(first, second)
    second.freeze()
    await first.ask('REPLICAOF', 'NO', 'ONE')
    lead(first.port)
    await Promise.all([device.closed, idle.closed])
    await areReady()
    second.thaw()

    const reader = await nodes.client(one, 'watcher', { profile: 'service' })
    await reader.subscribe('devices/valve/#')
    await reader.until(() => reader.texts().includes('on'))
    const again = await nodes.client(two, 'valve')
    for (const qos of [1, 2] as const) await again.publish('devices/valve/t', `QoS ${qos}`, { qos })
    const heard = async (): Promise<boolean> => {
      await again.publish('devices/valve/t', 'QoS 0', { qos: 0 })
      expect([reader.isClosed, again.isClosed]).toEqual([false, false])
      return reader.texts().includes('QoS 0')
    }
    await until(heard, () => 'messages of QoS 0 go through another Redis')
    expect(reader.texts()).toEqual(expect.arrayContaining(['QoS 1', 'QoS 2']))
    await until(
      async () => !(await second.ask('CLIENT', 'LIST')).includes('fleetroot'),
      () => 'a broker is connected to the Redis that was left',
    )
    for (const client of [reader, again]) await client.leave()
  })

  test('as planned, and the old one becomes a replica, brokers say so until the address leads to the new one', async () => {
    await follow(second, first)
    const device = await nodes.client(one, 'meter')
    await device.publish('devices/meter/kept', 'all of it', { retain: true })
    await first.ask('FAILOVER')
    for (const node of [one, two]) {
      await until(
        async () => (await node.operations('/readyz')).includes('replica'),
        () => node.app.output(),
      )
    }
    lead(second.port)
    await areReady()
    await device.closed
    const reader = await nodes.client(two, 'late', { profile: 'service' })
    await reader.subscribe('devices/meter/#')
    await reader.until(() => reader.messages.length === 1)
    expect(reader.texts()).toEqual(['all of it'])
    await reader.leave()
  })

  test('and gives it back while nobody looks, brokers do not take it for the one that they knew', async () => {
    const begun = ({ app }: Node): number => app.output().split('it ends its sessions and begins anew').length
    const before = [one, two].map(begun)
    for (const way of [address, otherWay]) {
      way.lead(await freePort())
      way.cut()
    }
    for (const [master, replica] of [
      [second, first],
      [first, second],
    ] as const) {
      await caughtUp(replica, master)
      await master.ask('FAILOVER')
      await until(
        async () => (await say(master, 'master_link_status')) === 'up',
        () => 'no failover',
      )
    }
    lead(second.port)
    for (const [n, node] of [one, two].entries()) {
      await until(
        () => begun(node) > before[n]!,
        () => 'it goes on as if nothing had happened',
      )
    }
    await areReady()
    expect((await nodes.client(one, 'meter')).connack.returnCode).toBe(0)
  })

  test('and the old one goes on for somebody, it keeps nothing there (min-replicas-to-write), and a session moves', async () => {
    for (const name of ['min-replicas-to-write', 'min-replicas-max-lag']) {
      expect(await second.ask('CONFIG', 'SET', name, '1')).toBe('+OK\r\n')
    }
    await caughtUp(first, second)
    const here = await nodes.client(two, 'torn', { clean: false })
    await here.subscribe('devices/torn/commands/#')
    await here.publish('devices/torn/t', 'on both')
    const idle = await nodes.client(one, 'idle')
    await caughtUp(first, second)
    await first.ask('REPLICAOF', 'NO', 'ONE')
    address.lead(first.port)
    address.cut()
    await idle.closed
    await expect(here.publish('devices/torn/t', 'on the old one')).rejects.toThrow('the connection ended')
    await until(
      async () => (await two.operations('/readyz')).includes('NOREPLICAS'),
      () => two.app.output(),
    )
    expect((await nodes.client(two, 'torn', { clean: false })).connack.returnCode).toBe(3)
    await areReady([one])
    const there = await nodes.client(one, 'torn', { clean: false })
    expect(there.connack).toMatchObject({ returnCode: 0, sessionPresent: true })
    await there.publish('devices/torn/t', 'on the new one')

    // While the node is trying to go on with it, it stands still.
    second.freeze()
    otherWay.lead(first.port)
    await areReady()
    const last = await nodes.client(two, 'torn', { clean: false })
    await there.closed
    expect(last.connack.sessionPresent).toBe(true)
    await last.leave()
  })
})
