import { connect, type Socket } from 'node:net'
import { parsePolicy } from '@fleetroot/policy'
import { generate } from 'mqtt-packet'
import { afterEach, describe, expect, test } from 'vitest'
import { expectSoon } from '../testing/followed-broker.ts'
import { type LiveBroker, startLiveBroker, type Transport } from '../testing/live-broker.ts'
import { noRates } from '../testing/no-rates.ts'
import type { WireClient } from '../testing/wire-client.ts'

let live: LiveBroker
const sockets: Socket[] = []

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await live.close()
})

/** A TCP connection that says nothing; resolves when the broker has ended it. */
function knock(transport: Transport, localAddress = '127.0.0.1'): Promise<unknown> {
  const socket = connect({ host: '127.0.0.1', port: live.broker.ports[transport], localAddress })
  sockets.push(socket)
  socket.on('error', () => undefined)
  return new Promise((resolve) => socket.once('close', resolve))
}

const anyClientId = parsePolicy(
  `version: 1
roles:
  device: { clientIds: any, publish: ['devices/\${id}/#'], subscribe: ['devices/\${id}/#'] }
`,
  'policy.yaml',
)

const publish = (topic: string, payload: string | Buffer = ''): Buffer =>
  generate({ cmd: 'publish', topic, payload, qos: 0, retain: false, dup: false })

describe.each<Transport>(['mqtts', 'wss'])('somebody without a certificate over %s', (transport) => {
  test('who opens connections faster than an address may is reset before TLS; another address is served', async () => {
    live = await startLiveBroker({ acceptRatePerAddress: { perSecond: 0.001, burst: 5 } })
    const knocks = []
    for (let n = 0; n < 20; n++) knocks.push(knock(transport))
    await Promise.all(knocks.slice(5))
    expect(Object.fromEntries(live.broker.counts.refused)).toEqual({ 'accept-rate-address': 15 })
    const device = await live.join('device', 'eve', { transport, localAddress: '127.0.0.2' })
    await device.ping()
  })

  test('who leaves handshakes open gets no more of them, and loses them when their time is over', async () => {
    live = await startLiveBroker({ maxHandshakesPerAddress: 10, handshakeTimeoutMs: 1_000 })
    const knocks = []
    for (let n = 0; n < 25; n++) knocks.push(knock(transport))
    await Promise.all(knocks.slice(10))
    expect(live.broker.counts.refused.get('handshakes-address')).toBe(15)
    const device = await live.join('device', 'eve', { transport, localAddress: '127.0.0.2' })
    await Promise.all(knocks)
    await expectSoon(() => live.broker.counts.handshakes === 0)
    expect(live.broker.counts.refused.get('handshake-timeout')).toBe(10)
    await device.ping()
  })

  test('who leaves handshakes open from many addresses finds a total', async () => {
    live = await startLiveBroker({ maxHandshakes: 10 })
    const device = await live.join('device', 'eve', { transport })
    const knocks = []
    for (let n = 0; n < 20; n++) knocks.push(knock(transport, `127.0.1.${n + 1}`))
    await Promise.all(knocks.slice(10))
    expect(live.broker.counts.refused.get('handshakes-total')).toBe(10)
    await device.ping()
  })
})

describe.each<Transport>(['mqtts', 'wss'])('a device with a valid certificate over %s', (transport) => {
  test('that connects again and again is refused, and no other device is', async () => {
    live = await startLiveBroker({ connectRate: { perSecond: 0.001, burst: 3 } })
    const identity = await live.issue('device', 'eve')
    for (let n = 0; n < 3; n++) await live.join('device', 'eve', { identity, transport })
    await expect(live.join('device', 'eve', { identity, transport })).rejects.toThrow(
      /ended|hang up|closed|reset/,
    )
    expect(Object.fromEntries(live.broker.counts.refused)).toEqual({ 'connect-rate': 1 })
    await (await live.join('device', 'bob', { transport })).ping()
  })

  test('that keeps connections open gets no more than it may, until one of them goes', async () => {
    live = await startLiveBroker({ maxConnections: 2 })
    const identity = await live.issue('device', 'eve')
    const silent = [await live.open(identity, { transport }), await live.open(identity, { transport })]
    await expect(live.join('device', 'eve', { identity, transport })).rejects.toThrow(
      /ended|hang up|closed|reset/,
    )
    expect(Object.fromEntries(live.broker.counts.refused)).toEqual({ 'too-many-connections': 1 })
    await (await live.join('device', 'bob', { transport })).ping()
    silent[0]!.stream.destroy()
    await expectSoon(() => live.broker.counts.open === 2)
    await (await live.join('device', 'eve', { identity, transport })).ping()
  })

  test('that publishes faster than it may is slowed down and loses nothing', async () => {
    live = await startLiveBroker({ messageRate: { perSecond: 500, burst: 100 } })
    const service = await live.join('service', 'backend')
    await service.subscribe('devices/#')
    const eve = await live.join('device', 'eve', { transport })
    const bob = await live.join('device', 'bob', { transport })
    const started = performance.now()
    for (let n = 0; n < 20; n++) {
      eve.send(Buffer.concat(Array.from({ length: 50 }, () => publish('devices/eve/telemetry'))))
    }
    // Somebody else has its turn all the time.
    for (let n = 0; n < 50; n++) await bob.publish('devices/bob/telemetry')
    await eve.ping()
    // What was read with the first ping is paid for before the second one is.
    await eve.ping()
    expect(performance.now() - started).toBeGreaterThan(1_750)
    expect(live.broker.counts.heldBack.get('message-rate')).toBeGreaterThan(0)
    await expectSoon(() => service.messages.length === 1_050)
    expect([...live.broker.counts.ended]).toEqual([])
  })

  test('that sends more bytes than it may is slowed down and loses nothing', async () => {
    live = await startLiveBroker({ byteRate: { perSecond: 2_000_000, burst: 100_000 } })
    const eve = await live.join('device', 'eve', { transport })
    const started = performance.now()
    for (let n = 0; n < 50; n++) eve.send(publish('devices/eve/telemetry', Buffer.alloc(60_000)))
    await eve.ping()
    await eve.ping()
    expect(performance.now() - started).toBeGreaterThan(1_400)
    expect(live.broker.counts.heldBack.get('byte-rate')).toBeGreaterThan(0)
    expect(live.broker.counts.published).toBe(50)
    expect([...live.broker.counts.ended]).toEqual([])
  })

  test('that flips its filters faster than it may is slowed down, and each of them is answered', async () => {
    live = await startLiveBroker({ filterRate: { perSecond: 100, burst: 50 }, maxFilters: 25 })
    const identity = await live.issue('device', 'eve')
    const all = Array.from({ length: 25 }, (_, n) => `devices/eve/commands/${n}`)
    // Twice in a row, as after a lost connection, a session gets all of its filters at once.
    const first = await live.join('device', 'eve', { identity, transport })
    expect(await first.subscribe(...all)).toEqual(all.map(() => 1))
    await first.leave()
    const eve = await live.join('device', 'eve', { identity, transport })
    expect(await eve.subscribe(...all)).toEqual(all.map(() => 1))
    expect([...live.broker.counts.heldBack]).toEqual([])
    const bob = await live.join('device', 'bob', { transport })
    const started = performance.now()
    const flips: Buffer[] = []
    for (let n = 0; n < 50; n++) {
      flips.push(
        generate({ cmd: 'subscribe', messageId: 100 + n, subscriptions: [{ topic: all[0]!, qos: 1 }] }),
        generate({ cmd: 'unsubscribe', messageId: 200 + n, unsubscriptions: [all[0]!] }),
      )
    }
    eve.send(Buffer.concat(flips))
    for (let n = 0; n < 50; n++) {
      expect((await eve.receive('suback')).messageId).toBe(100 + n)
      expect((await eve.receive('unsuback')).messageId).toBe(200 + n)
      // Somebody else has its turn all the time.
      await bob.ping()
    }
    await eve.ping()
    // 100 at 100 a second, of which a full bucket of 50 may have come back before.
    expect(performance.now() - started).toBeGreaterThan(450)
    expect(live.broker.counts.heldBack.get('filter-rate')).toBeGreaterThan(0)
    expect([...live.broker.counts.ended]).toEqual([])
  })

  test('that never stops flipping filters is disconnected in the end, and no new connection gives it a new budget', async () => {
    live = await startLiveBroker({ filterRate: { perSecond: 100, burst: 10 }, maxHeldBackMs: 500 })
    const identity = await live.issue('device', 'eve')
    // More than fits into what the broker reads at once, so that there is something left to read after every pause.
    const topic = `devices/eve/commands/${'x'.repeat(900)}`
    const flood = async (eve: WireClient): Promise<void> => {
      for (let n = 1; n <= 300; n++) {
        eve.send({ cmd: 'subscribe', messageId: n, subscriptions: [{ topic, qos: n % 2 === 0 ? 1 : 0 }] })
      }
      await eve.closed
    }
    await flood(await live.join('device', 'eve', { identity, transport }))
    expect(live.broker.counts.ended.get('filter-rate')).toBe(1)
    await expect(live.join('device', 'eve', { identity, transport })).rejects.toThrow('ended before connack')
    expect(live.broker.counts.ended.get('filter-rate')).toBe(2)
  })

  test('that never stops pushing is disconnected in the end, and no new connection gives it a new budget', async () => {
    live = await startLiveBroker({ messageRate: { perSecond: 100, burst: 10 }, maxHeldBackMs: 500 })
    const identity = await live.issue('device', 'eve')
    // More than fits into what the broker reads at once, so that there is something left to read after every pause.
    const flood = async (eve: WireClient): Promise<void> => {
      const burst = Buffer.concat(
        Array.from({ length: 10 }, () => publish('devices/eve/telemetry', Buffer.alloc(1_000))),
      )
      for (let n = 0; n < 30; n++) eve.send(burst)
      await eve.closed
    }
    await flood(await live.join('device', 'eve', { identity, transport }))
    expect(live.broker.counts.ended.get('message-rate')).toBe(1)
    await expect(live.join('device', 'eve', { identity, transport })).rejects.toThrow('ended before connack')
    expect(live.broker.counts.ended.get('message-rate')).toBe(2)
  })
})

describe.each<Transport>(['mqtts', 'wss'])('an identity with many connections over %s', (transport) => {
  test('that floods all of them at once has one of them read, and not each', async () => {
    // What is owed here is not paid while the test runs.
    live = await startLiveBroker({ filterRate: { perSecond: 0.001, burst: 100 } }, { policy: anyClientId })
    const identity = await live.issue('device', 'eve')
    const all: WireClient[] = []
    for (let n = 0; n < 10; n++) {
      const client = await live.open(identity, { transport })
      expect((await client.connect({ clientId: `eve-${n}` })).returnCode).toBe(0)
      all.push(client)
    }
    const bob = await live.join('device', 'bob', { transport })
    const filters = Array.from({ length: 75 }, (_, n) => ({ topic: `devices/eve/${n}`, qos: 1 as const }))
    const flood = [1, 2].map((messageId) => generate({ cmd: 'subscribe', messageId, subscriptions: filters }))
    for (const client of all) client.send(Buffer.concat(flood))
    const granted = (): number =>
      all.flatMap(({ waiting }) => waiting).filter(({ cmd }) => cmd === 'suback').length * filters.length
    // One that has been read, and those that have not.
    await expectSoon(() => live.broker.counts.heldBack.get('filter-rate') === all.length)
    await expectSoon(() => granted() >= 150)
    for (let n = 0; n < 10; n++) await bob.ping()
    expect(granted()).toBe(150)
    expect([...live.broker.counts.ended]).toEqual([])
  })
})

describe('a subscriber that has stopped reading', () => {
  test('costs neither those who publish to it nor those who listen to the same', async () => {
    live = await startLiveBroker({
      drainTimeoutMs: 600_000,
      maxOutboundBytes: 1024 ** 3,
      ...noRates,
    })
    const stuck = await live.join('service', 'stuck')
    await stuck.subscribe('devices/#')
    stuck.stream.pause()
    const backend = await live.join('service', 'backend')
    await backend.subscribe('devices/#')
    const eve = await live.join('device', 'eve')
    // Far more than the buffers on the way to the stuck one hold; each batch is there before the next is sent.
    const burst = Buffer.concat(
      Array.from({ length: 100 }, () => publish('devices/eve/telemetry', Buffer.alloc(2_000))),
    )
    for (let n = 1; n <= 100; n++) {
      eve.send(burst)
      await expectSoon(() => backend.messages.length === n * 100)
    }
    await eve.publish('devices/eve/state')
    await backend.message('devices/eve/state')
    // It is still connected, and when it reads again it has everything.
    stuck.stream.resume()
    await stuck.message('devices/eve/state')
    expect(stuck.messages.length).toBe(10_001)
    expect([...live.broker.counts.ended]).toEqual([])
  })

  test('is disconnected when it has taken nothing for as long as it may', async () => {
    live = await startLiveBroker({ drainTimeoutMs: 300, maxOutboundBytes: 1024 ** 3 })
    const stuck = await live.join('service', 'stuck')
    await stuck.subscribe('devices/#')
    stuck.stream.pause()
    const eve = await live.join('device', 'eve')
    for (let n = 0; n < 100; n++) eve.send(publish('devices/eve/telemetry', Buffer.alloc(100_000)))
    await eve.ping()
    await expectSoon(() => live.broker.counts.ended.get('slow-reader') === 1)
  })
})
