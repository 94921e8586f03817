import { setTimeout as delay } from 'node:timers/promises'
import { generate } from 'mqtt-packet'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { judgedBy } from '../judged-by.ts'
import { type Address, openAddress, openLateLog } from './address.ts'
import { type Node, type Nodes, startNodes, until } from './nodes.ts'

judgedBy(['redis-server'], 'a connection that is cut', () => {
  let nodes: Nodes
  let one: Node
  let two: Node

  beforeAll(async () => {
    nodes = await startNodes(2)
    ;[one, two] = nodes.all as [Node, Node]
  })
  afterAll(() => nodes[Symbol.asyncDispose]())

  test('with filters on their way leaves those of its session as they are acknowledged elsewhere', async () => {
    const wanted = 'devices/cut/commands/wanted'
    const old = await nodes.client(one, 'cut', { clean: false })
    await old.subscribe(wanted)
    // Each waits for Redis and for the one before.
    const row = Array.from({ length: 60 }, (_, n) => old.subscribe(`devices/cut/commands/${n}`))
    row.push(old.unsubscribe(wanted))
    const answers = Promise.allSettled(row)
    await row[0]
    await old.leave('abruptly')
    await answers
    const back = await nodes.client(two, 'cut', { clean: false })
    await back.subscribe(wanted)
    const sender = await nodes.client(one, 'cut-sender', { profile: 'service' })
    const topics = Array.from({ length: 40 }, (_, n) => `${n}`)
    for (const text of topics) await sender.publish(wanted, text)
    await back.until(() => back.texts().includes(topics.at(-1)!))
    expect(back.texts()).toEqual(topics)
    for (const client of [back, sender]) await client.leave()
  })

  /** So late a node hears of the others: its clients are neither in nor out meanwhile. */
  const lateMs = 1_000

  test('before it is in leaves its device offline, its session to expire, and nothing where there was none', async () => {
    await using log = await openLateLog(nodes.redis.port, lateMs)
    const late = await nodes.start({ args: [`--redis=${log.url}`, '--redis-node-timeout=20s'] })
    const ask = async (...words: string[]): Promise<string> => (await nodes.redis.ask(...words)).trim()
    const holder = async (id: string): Promise<string> =>
      ask('HGET', 'fleetroot:holders', `device/${id}/${id}`)
    const left = async (id: string): Promise<string> =>
      ask('HGET', `fleetroot:state:device/${id}/${id}`, 'left')
    const nobody = '$-1'
    const empty = '$0'
    /** Sends CONNECT to the late node, and no more. Returns what cuts it. */
    const knock = async (clientId: string): Promise<() => void> => {
      const socket = await (await nodes.dial(clientId, 'device', () => late))()
      socket.on('error', () => undefined)
      const version = { protocolId: 'MQTT', protocolVersion: 4 } as const
      socket.write(generate({ cmd: 'connect', ...version, clean: false, keepalive: 60, clientId }))
      return () => socket.destroy()
    }

    const watcher = await nodes.client(one, 'watcher', { profile: 'service' })
    await watcher.subscribe('fleet/presence/hasty')
    const device = await nodes.client(one, 'hasty', { clean: false })
    await device.subscribe('devices/hasty/commands/#')
    await watcher.until(() => watcher.messages.length === 1)
    const before = await holder('hasty')
    const cut = await knock('hasty')
    await device.closed
    await until(
      async () => (await holder('hasty')) !== before && (await left('hasty')) === empty,
      () => 'its session is not claimed',
    )
    cut()
    await watcher.until(
      () => watcher.messages.length > 1 && watcher.texts().at(-1)!.includes('"online":false'),
    )
    expect(await holder('hasty')).toBe(nobody)
    expect(await left('hasty')).toMatch(/^\$13\r\n\d{13}$/)

    const cutFirst = await knock('new')
    await until(
      async () => (await holder('new')) !== nobody,
      () => 'it is not claimed',
    )
    cutFirst()
    await until(
      async () => (await holder('new')) === nobody,
      () => 'it is still claimed',
    )
    const isStored = await ask('HEXISTS', 'fleetroot:sessions', 'device/new/new')
    expect(await ask('EXISTS', 'fleetroot:state:device/new/new')).toBe(isStored)
    await watcher.leave()
    await late.app.stop('SIGKILL')
  })
})

judgedBy(['redis-server'], 'a connection to Redis that is cut', () => {
  let nodes: Nodes
  let one: Node
  let two: Node
  let address: Address

  beforeAll(async () => {
    nodes = await startNodes(1)
    ;[two] = nodes.all as [Node]
    address = await openAddress(nodes.redis.port)
    const env = { FLEETROOT_BROKER_TICKET_SECRET: 'what both nodes know and Redis does not know' }
    one = await nodes.start({ args: [`--redis=${address.url}`], env })
  })
  afterAll(async () => {
    await nodes[Symbol.asyncDispose]()
    await address[Symbol.asyncDispose]()
  })

  // What a broker sends on each of its connections as soon as they are there again.
  describe.each(['client', 'info', 'script', 'subscribe', 'xread', 'evalsha', 'eval', 'ping'])(
    'again, just when the broker sends %j,',
    (words) => {
      test('is there once more, and messages go their ways', async () => {
        const sprung = address.cutAt(words)
        address.cut()
        await sprung
        // Clients that come before the broker has noticed are sent away.
        await until(
          async () => passes().catch(() => false),
          () => one.app.output(),
        )
        expect(await one.operations('/readyz')).toBe('{"status":"ready"}')
      })
    },
  )

  test.each(['evalsha', 'hscan', 'hgetall'])(
    'while the broker begins anew, when it sends %j, does not leave it with half of what there is',
    async (words) => {
      const keeper = await nodes.client(two, 'keeper', { profile: 'service', clean: false })
      await keeper.subscribe('devices/teller/#')
      await keeper.leave()
      const sprung = address.cutAt(words)
      // It may have forgotten something: whoever used it begins anew.
      await nodes.redis.kill()
      await nodes.redis.start()
      await sprung
      await until(
        async () => {
          try {
            const teller = await nodes.client(one, 'teller')
            await teller.publish('devices/teller/t', words)
            await teller.leave()
            return true
          } catch {
            return false
          }
        },
        () => one.app.output(),
      )
      await until(
        async () => (await two.operations('/readyz')) === '{"status":"ready"}',
        () => two.app.output(),
      )
      const back = await nodes.client(two, 'keeper', { profile: 'service', clean: false })
      await back.until(() => back.texts().length > 0)
      expect(back.texts()).toContain(words)
      await back.leave()
    },
  )

  /** Does a message of the other node arrive? */
  async function passes(): Promise<boolean> {
    const reader = await nodes.client(one, 'reader', { profile: 'service' })
    const teller = await nodes.client(two, 'teller')
    try {
      await reader.subscribe('devices/teller/#')
      await teller.publish('devices/teller/t', 'now', { qos: 0 })
      return await Promise.race([
        reader.until(() => reader.messages.length > 0).then(() => true),
        delay(500, false),
      ])
    } finally {
      for (const client of [reader, teller]) await client.leave()
    }
  }
})
