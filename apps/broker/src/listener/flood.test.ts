import { collectGarbage } from '@fleetroot/pki/testing'
import { generate } from 'mqtt-packet'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type LiveBroker, startLiveBroker, type Transport } from '../testing/live-broker.ts'
import { noRates } from '../testing/no-rates.ts'
import type { WireClient } from '../testing/wire-client.ts'

let live: LiveBroker

beforeEach(async () => {
  live = await startLiveBroker()
})
afterEach(async () => {
  await live.close()
})

const mebibyte = 1024 * 1024

/** Sends zeros until the other side ends the connection; resolves to the bytes that were taken. */
async function flood(client: WireClient, limit: number): Promise<number> {
  const { stream } = client
  const zeros = Buffer.alloc(64 * 1024)
  let sent = 0
  while (sent < limit && !stream.destroyed) {
    sent += zeros.length
    if (stream.write(zeros)) await new Promise((resolve) => setImmediate(resolve))
    else await Promise.race([new Promise((resolve) => stream.once('drain', resolve)), client.closed])
  }
  return sent
}

describe.each<Transport>(['mqtts', 'wss'])('over %s', (transport) => {
  test('a CONNECT that declares 200 MB is refused at its header, and nothing is collected', async () => {
    const client = await live.open(await live.issue('device', 'eve'), { transport })
    collectGarbage()
    const before = process.memoryUsage()
    client.send(Buffer.of(0x10, 0x80, 0x80, 0x80, 0x64))
    const sent = await flood(client, 200 * mebibyte)
    await client.closed
    const after = process.memoryUsage()
    expect(live.broker.counts.refused.get('packet-too-large')).toBe(1)
    expect(sent).toBeLessThan(200 * mebibyte)
    // Both ends are in this process; what is in flight between them stays far below what was declared.
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(40 * mebibyte)
  })

  test('a CONNECT over 8 KiB is refused, one of exactly 8 KiB is read', async () => {
    const identity = await live.issue('device', 'eve')
    const small = await live.open(identity, { transport })
    const fitting = { clientId: 'eve', username: 'u', password: Buffer.alloc(8192 - 3 - 10 - 5 - 3 - 2) }
    expect((await small.connect(fitting)).returnCode).toBe(0)
    const large = await live.open(identity, { transport })
    await expect(large.connect({ ...fitting, username: 'uu' })).rejects.toThrow('ended')
    expect(live.broker.counts.refused.get('packet-too-large')).toBe(1)
  })

  test('a PUBLISH over 128 KiB ends the connection, one below arrives', async () => {
    const service = await live.join('service', 'backend')
    await service.subscribe('devices/#')
    const device = await live.join('device', 'eve', { transport })
    const topic = 'devices/eve/telemetry'
    const overhead = 1 + 3 + 2 + topic.length + 2
    await device.publish(topic, Buffer.alloc(128 * 1024 - overhead))
    expect((await service.message(topic)).payload.length).toBe(128 * 1024 - overhead)
    device.publish(topic, Buffer.alloc(128 * 1024 - overhead + 1)).catch(() => undefined)
    await device.closed
    await service.ping()
    expect(service.topics).toEqual([topic])
  })

  test.each([
    ['a PUBLISH', Buffer.of(0x30, 3, 0, 1, 0x78), 'first-packet-not-connect'],
    ['a CONNACK', Buffer.of(0x20, 2, 0, 0), 'first-packet-not-connect'],
    ['an endless remaining length', Buffer.of(0x10, 0xff, 0xff, 0xff, 0xff, 0x01), 'packet-length'],
  ])('%s instead of a CONNECT is refused', async (_what, bytes, reason) => {
    const client = await live.open(await live.issue('device', 'eve'), { transport })
    client.send(bytes)
    await client.closed
    expect(Object.fromEntries(live.broker.counts.refused)).toEqual({ [reason]: 1 })
  })

  test('a client that says nothing, or half a CONNECT, is cut off', async () => {
    await live.close()
    live = await startLiveBroker({ connectTimeoutMs: 300 })
    const silent = await live.open(await live.issue('device', 'eve'), { transport })
    const slow = await live.open(await live.issue('device', 'bob'), { transport })
    slow.send(Buffer.of(0x10, 20, 0, 4, 0x4d))
    await Promise.all([silent.closed, slow.closed])
    expect(live.broker.counts.admitted).toBe(0)
    expect(Object.fromEntries(live.broker.counts.refused)).toEqual({ 'connect-timeout': 2 })
  })
})

test('a client that says less than its keep alive promises is cut off, also when it lets bytes drip', async () => {
  const silent = await live.open(await live.issue('device', 'eve'))
  await silent.connect({ clientId: 'eve', keepalive: 1 })
  const dripping = await live.open(await live.issue('device', 'bob'))
  await dripping.connect({ clientId: 'bob', keepalive: 1 })
  dripping.send(Buffer.of(0x30, 100))
  const drip = setInterval(() => dripping.send(Buffer.of(0)), 100)
  await Promise.all([silent.closed, dripping.closed])
  clearInterval(drip)
  expect(Object.fromEntries(live.broker.counts.ended)).toEqual({ 'keep-alive': 2 })
})

test('a SUBSCRIBE with more filters than a session may have is refused before any of them is looked at', async () => {
  const client = await live.join('device', 'eve', { clean: false })
  client
    .subscribe(...Array.from({ length: 4_000 }, (_, n) => `devices/eve/commands/${n}`))
    .catch(() => undefined)
  await client.closed
  expect(Object.fromEntries(live.broker.counts.refused)).toEqual({ 'too-many-filters': 1 })
  expect(client.waiting).toEqual([])
  expect(live.broker.counts.denied.size).toBe(0)
})

test('a client that leaves too many QoS 2 messages open is cut off', async () => {
  await live.close()
  live = await startLiveBroker({ maxInflight: 10 })
  const client = await live.join('device', 'eve')
  for (let messageId = 1; messageId <= 11; messageId++) {
    client.send({
      cmd: 'publish',
      topic: 'devices/eve/state',
      payload: 'x',
      qos: 2,
      messageId,
      retain: false,
      dup: false,
    })
  }
  await client.closed
  expect(client.waiting.filter(({ cmd }) => cmd === 'pubrec').length).toBeLessThanOrEqual(10)
  expect(live.broker.counts.refused.get('too-many-unreleased')).toBe(1)
})

test.each([1, 2])(
  'a PUBLISH at QoS %i without a packet identifier ends its connection, and nobody else’s',
  async (qos) => {
    const bob = await live.join('device', 'bob')
    const topic = Buffer.from('devices/eve/state')
    const header = Buffer.of(0x30 | (qos << 1), topic.length + 2, 0, topic.length)
    // That ends before it, and that says zero.
    for (const bytes of [
      Buffer.concat([header, topic]),
      Buffer.concat([Buffer.of(header[0]!, topic.length + 4, 0, topic.length), topic, Buffer.of(0, 0)]),
    ]) {
      const eve = await live.join('device', 'eve')
      eve.send(bytes)
      await eve.closed
    }
    await bob.ping()
    expect(Object.fromEntries(live.broker.counts.refused)).toEqual({ 'packet-identifier': 2 })
    expect(live.broker.counts.published).toBe(0)
  },
)

test('a client that is denied again and again is disconnected', async () => {
  await live.close()
  live = await startLiveBroker({ maxDenials: 3 })
  const client = await live.join('device', 'eve')
  await client.publish('devices/bob/state')
  expect(await client.subscribe('#')).toEqual([128])
  await client.publish('devices/bob/state')
  await client.closed
  expect(live.broker.counts.ended.get('too-many-denials')).toBe(1)
})

test('of thousands of packets in one piece no more are judged than may be denied', async () => {
  await live.close()
  live = await startLiveBroker({ maxDenials: 3 })
  const service = await live.join('service', 'backend')
  await service.subscribe('devices/#')
  const client = await live.join('device', 'eve')
  const publish = (topic: string): Buffer =>
    generate({ cmd: 'publish', topic, payload: '', qos: 0, retain: false, dup: false })
  const denied = Array.from({ length: 2_000 }, () => publish('x'))
  client.send(Buffer.concat([publish('devices/eve/state'), ...denied, publish('devices/eve/telemetry')]))
  await client.closed
  expect(Object.fromEntries(live.broker.counts.denied)).toEqual({ 'publish no-rule': 3 })
  expect(live.broker.counts.ended.get('too-many-denials')).toBe(1)
  await service.ping()
  expect(service.topics).toEqual(['devices/eve/state'])
})

describe('a subscriber that stops reading', () => {
  const burst = (id: string, size: number, count: number): Buffer =>
    Buffer.concat(
      Array.from({ length: count }, () =>
        generate({
          cmd: 'publish',
          topic: `devices/${id}/telemetry`,
          payload: Buffer.alloc(size),
          qos: 0,
          retain: false,
          dup: false,
        }),
      ),
    )

  test('is cut off, and a flood of messages behind it does no harm', async () => {
    await live.close()
    live = await startLiveBroker({ ...noRates, drainTimeoutMs: 200 })
    const stuck = await live.join('service', 'stuck')
    await stuck.subscribe('devices/#')
    stuck.stream.pause()
    // Many small messages of many devices at once, more than all buffers on the way to the subscriber hold.
    const devices = await Promise.all(Array.from({ length: 12 }, (_, i) => live.join('device', `d${i}`)))
    for (const [i, device] of devices.entries()) device.send(burst(`d${i}`, 0, 20_000))
    await Promise.all(devices.map((device) => device.ping()))
    stuck.stream.resume()
    await stuck.closed
    expect(live.broker.counts.published).toBe(240_000)
    expect(live.broker.counts.open).toBe(12)
  })

  test('does not hold up another subscriber of another device', async () => {
    await live.close()
    live = await startLiveBroker({ ...noRates, drainTimeoutMs: 600_000 })
    const stuck = await live.join('service', 'stuck')
    await stuck.subscribe('devices/eve/#')
    stuck.stream.pause()
    const backend = await live.join('service', 'backend')
    await backend.subscribe('devices/bob/#')
    const eve = await live.join('device', 'eve')
    for (let i = 0; i < 20; i++) eve.send(burst('eve', 100, 10_000))
    const bob = await live.join('device', 'bob')
    // Until everything between eve and the stuck subscriber is full.
    for (let before = -1; before !== live.broker.counts.published;) {
      before = live.broker.counts.published
      for (let i = 0; i < 50; i++) await bob.ping()
    }
    for (let i = 0; i < 300; i++) await bob.publish('devices/bob/telemetry', String(i))
    while (backend.messages.length < 300) await backend.receive('publish')
    expect(backend.messages.map(({ payload }) => payload.toString()).at(-1)).toBe('299')
  })

  test('is cut off when more waits for it than it may leave', async () => {
    await live.close()
    live = await startLiveBroker({ ...noRates, drainTimeoutMs: 600_000, maxOutboundBytes: 1_000_000 })
    const stuck = await live.join('service', 'stuck')
    await stuck.subscribe('devices/#')
    stuck.stream.pause()
    const devices = await Promise.all(Array.from({ length: 30 }, (_, i) => live.join('device', `d${i}`)))
    for (const [i, device] of devices.entries()) device.send(burst(`d${i}`, 60_000, 10))
    await Promise.all(devices.map((device) => device.ping()))
    stuck.stream.resume()
    await stuck.closed
    expect(live.broker.counts.ended.get('slow-reader')).toBe(1)
  })
})
