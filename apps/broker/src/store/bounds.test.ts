import { afterEach, describe, expect, test } from 'vitest'
import { parsePolicy } from '@fleetroot/policy'
import { defaultPolicy, identity } from '../testing/bench-engine.ts'
import { type Changes, type Generation, startGeneration } from '../testing/crash.ts'
import type { WireClient } from '../testing/wire-client.ts'

const pump = identity('device', 'pump')
const backend = identity('service', 'backend')
const telemetry = 'devices/pump/telemetry/t'

let first: Generation

afterEach(async () => {
  await first.close()
})

/** An engine in which the service has left a stored session behind, and a device that publishes. */
async function start(changes: Changes): Promise<WireClient> {
  first = await startGeneration(changes)
  const service = await first.bench.connect(backend, false)
  await service.subscribe('devices/#')
  await service.leave()
  return first.bench.connect(pump)
}

async function texts(generation: Generation): Promise<string[]> {
  const service = await generation.bench.connect(backend, false)
  await service.ping()
  await service.ping()
  return service.messages.map(({ payload }) => payload.toString())
}

async function retained(): Promise<string[]> {
  const found = await Array.fromAsync(first.opened.store.retained.match(['devices/#']))
  return found.map(({ message }) => `${message.topic} ${message.payload.toString()}`)
}

function dropped(): object {
  return Object.fromEntries(first.opened.store.counts.dropped)
}

describe('a queue has an end', () => {
  test('in messages: the oldest go, and are counted', async () => {
    const device = await start({ storeLimits: { maxQueuedMessages: 5 } })
    for (let n = 1; n <= 8; n++) await device.publish(telemetry, String(n))
    expect(dropped()).toEqual({ 'queue-messages': 3 })
    expect(await texts(await first.crash())).toEqual(['4', '5', '6', '7', '8'])
  })

  test('in bytes', async () => {
    const device = await start({ storeLimits: { maxQueuedBytes: 10_000 } })
    for (let n = 1; n <= 5; n++) await device.publish(telemetry, String(n).repeat(3_000))
    expect(dropped()).toEqual({ 'queue-bytes': 2 })
    expect((await texts(first)).map(([digit]) => digit)).toEqual(['3', '4', '5'])
    expect(first.opened.store.counts).toMatchObject({ queued: 0, queuedBytes: 0 })
  })

  test('in bytes of all sessions together', async () => {
    const device = await start({ storeLimits: { maxQueuedBytesInTotal: 10_000 } })
    for (let n = 1; n <= 5; n++) await device.publish(telemetry, String(n).repeat(3_000))
    expect(dropped()).toEqual({ 'store-bytes': 2 })
  })

  test('in time, whether its client comes back or not', async () => {
    const device = await start({ storeLimits: { maxQueuedMs: 60_000 } })
    await device.publish(telemetry, 'old')
    first.bench.time += 40_000
    await device.publish(telemetry, 'new')
    first.bench.time += 30_000
    const second = await first.crash({ time: first.bench.time })
    expect(second.opened.store.counts.queued).toBe(1)
    expect(await texts(first)).toEqual(['new'])
    expect(dropped()).toEqual({ age: 1 })
  })

  test('a message larger than all of it is not kept, and takes nothing with it that was sent', async () => {
    const device = await start({ storeLimits: { maxQueuedBytes: 1_000 } })
    await device.publish(telemetry, 'x'.repeat(5_000))
    expect(dropped()).toEqual({ 'queue-bytes': 1 })
  })

  test('what has been sent and not acknowledged is not dropped for what comes', async () => {
    const device = await start({ storeLimits: { maxQueuedMessages: 3 } })
    const service = await first.bench.connect(backend, false)
    service.answers = false
    for (let n = 1; n <= 5; n++) await device.publish(telemetry, String(n))
    await service.ping()
    await service.leave('abruptly')
    expect(await texts(first)).toEqual(['1', '2', '3'])
    expect(dropped()).toEqual({ 'queue-messages': 2 })
  })

  test('a client gets no more unacknowledged messages than it may, and the rest as it acknowledges', async () => {
    const device = await start({ limits: { maxUnacknowledged: 4 } })
    for (let n = 1; n <= 10; n++) await device.publish(telemetry, String(n))
    const service = first.bench.open(backend)
    service.answers = false
    await service.connect({ clientId: 'backend', clean: false })
    await service.ping()
    await service.ping()
    expect(service.messages.length).toBe(4)
    service.answers = true
    for (const { messageId = 0 } of service.messages.slice()) service.send({ cmd: 'puback', messageId })
    while (service.messages.length < 10) await service.ping()
    expect(service.messages.map(({ payload }) => payload.toString())).toEqual(
      Array.from({ length: 10 }, (_, n) => String(n + 1)),
    )
  })
})

test('a session whose client does not come back ends, with what waits for it', async () => {
  const device = await start({ storeLimits: { sessionExpiryMs: 60_000 } })
  await device.publish(telemetry, 'x')
  const early = await first.crash({ time: first.bench.time + 59_000 })
  expect(early.opened.store.counts).toMatchObject({ sessions: 1, queued: 1 })
  const late = await first.crash({ time: first.bench.time + 61_000 })
  expect(late.opened.store.counts).toMatchObject({ sessions: 0, queued: 0, queuedBytes: 0 })
  expect(Object.fromEntries(late.opened.store.counts.dropped)).toEqual({ 'session-expired': 1 })
  await late.opened.store.journal.flushed()
  expect((await late.crash()).opened.loaded).toMatchObject({ sessions: 0, messages: 0, orphans: 0 })
})

test('an identity has so many stored sessions, and room again when it ends one', async () => {
  first = await startGeneration({ storeLimits: { maxSessions: 2 } })
  const connect = async (generation: Generation, clientId: string, clean = false): Promise<number> => {
    const client = generation.bench.open(backend)
    const { returnCode = -1 } = await client.connect({ clientId, clean })
    if (returnCode === 0) await client.leave()
    return returnCode
  }
  expect([await connect(first, 'backend.1'), await connect(first, 'backend.2')]).toEqual([0, 0])
  // A session without filters and messages is worth no waiting: its CONNACK leaves before it is on disk.
  await first.opened.store.journal.flushed()
  const second = await first.crash()
  for (const generation of [first, second]) {
    expect(await connect(generation, 'backend.3')).toBe(2)
    expect(generation.bench.counts.refused.get('too-many-sessions')).toBe(1)
    expect(await connect(generation, 'backend.2')).toBe(0)
    // A clean session takes no room, and gives that of its name back.
    expect(await connect(generation, 'backend.4', true)).toBe(0)
    expect(await connect(generation, 'backend.1', true)).toBe(0)
    expect(await connect(generation, 'backend.3')).toBe(0)
  }
})

describe('retained messages have an end', () => {
  test('for each device, in messages: what is beyond goes nowhere and is denied', async () => {
    const device = await start({ storeLimits: { maxRetainedMessages: 2 } })
    for (const n of [1, 2, 3]) await device.publish(`devices/pump/telemetry/${n}`, 'x', { retain: true })
    // In the place of its own there is room.
    await device.publish('devices/pump/telemetry/1', 'y', { retain: true })
    expect(first.bench.counts.denied.get('publish too-many-retained')).toBe(1)
    await device.publish('devices/pump/telemetry/2', '', { retain: true })
    await device.publish('devices/pump/telemetry/3', 'x', { retain: true })
    expect(first.bench.counts.denied.get('publish too-many-retained')).toBe(1)
    expect(await retained()).toEqual(['devices/pump/telemetry/1 y', 'devices/pump/telemetry/3 x'])
    // Another device has room of its own, and a restart forgets nobody's share.
    const other = await first.bench.connect(identity('device', 'fan'))
    await other.publish('devices/fan/state', 'x', { retain: true })
    expect(await retained()).toContain('devices/fan/state x')
    const second = await first.crash()
    const again = await second.bench.connect(pump)
    await again.publish('devices/pump/telemetry/4', 'x', { retain: true })
    expect(second.bench.counts.denied.get('publish too-many-retained')).toBe(1)
  })

  test('for each device in bytes, and for all together', async () => {
    const device = await start({ storeLimits: { maxRetainedBytes: 2_000, maxRetainedBytesInTotal: 50_000 } })
    for (const n of [1, 2]) {
      await device.publish(`devices/pump/telemetry/${n}`, 'x'.repeat(1_000), { retain: true })
    }
    expect(first.bench.counts.denied.get('publish too-many-retained')).toBe(1)
    const service = await first.bench.connect(identity('service', 'console'))
    for (const n of [1, 2, 3]) {
      await service.publish(`devices/pump/commands/${n}`, 'x'.repeat(20_000), { retain: true })
    }
    expect(first.bench.counts.denied.get('publish too-many-retained')).toBe(2)
  })
})

describe('the policy of the moment decides, not the one of the day', () => {
  const nothing = parsePolicy(
    'version: 1\nroles:\n  service:\n    clientIds: ["${id}"]\n    publish: []\n    subscribe: ["fleet/#"]\n',
    'policy.yaml',
  )
  const device = 'roles:\n  device:\n    clientIds: ["${id}"]\n    publish: ["devices/${id}/#"]\n'
  const half = parsePolicy(
    `version: 1\n${device}    subscribe: []\n  service:\n    clientIds: ["\${id}"]\n    publish: []\n    subscribe: ["devices/+/state"]\n`,
    'policy.yaml',
  )

  test('over what waits already: a message that may no longer be read is not sent, and not kept', async () => {
    const publisher = await start({})
    await publisher.publish('devices/pump/state', 'state')
    await publisher.publish(telemetry, 'secret')
    first.bench.policy = half
    expect(await texts(first)).toEqual(['state'])
    expect(first.bench.counts.denied.get('receive no-rule')).toBe(1)
    expect(first.opened.store.counts.queued).toBe(0)
  })

  test('over filters that are stored: after a restart they are given up, and nothing more is queued by them', async () => {
    const publisher = await start({})
    await publisher.publish(telemetry, 'secret')
    const second = await first.crash({ policy: half })
    const other = await second.bench.connect(pump)
    await other.publish(telemetry, 'more')
    expect(second.opened.store.counts.queued).toBe(1)
    expect(await texts(second)).toEqual([])
    await second.opened.store.journal.flushed()
    const third = await second.crash({ policy: defaultPolicy })
    await (await third.bench.connect(pump)).publish(telemetry, 'later')
    expect(await texts(third)).toEqual([])
  })

  test('over retained messages: a reader gets those that it may read', async () => {
    const publisher = await start({})
    await publisher.publish('devices/pump/state', 'state', { retain: true })
    await publisher.publish(telemetry, 'secret', { retain: true })
    const service = await first.bench.connect(backend)
    first.bench.policy = half
    expect(await service.subscribe('devices/+/state')).toEqual([1])
    expect(await service.subscribe('devices/#')).toEqual([128])
    await service.ping()
    expect(service.messages.map(({ payload }) => payload.toString())).toEqual(['state'])
  })

  test('over sessions of those whose role has nothing left', async () => {
    const publisher = await start({})
    await publisher.publish(telemetry, 'secret')
    first.bench.policy = nothing
    expect(await texts(first)).toEqual([])
  })
})
