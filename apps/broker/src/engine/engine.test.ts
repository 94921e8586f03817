import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type BenchEngine, defaultPolicy, identity, startBenchEngine } from '../testing/bench-engine.ts'
import { parsePolicy } from '@fleetroot/policy'

const pump = identity('device', 'pump')
const valve = identity('device', 'valve')
const service = identity('service', 'backend')

let bench: BenchEngine

beforeEach(async () => {
  bench = await startBenchEngine({ maxDenials: 5 })
})
afterEach(async () => {
  await bench.engine.close()
})

/** Everything for everybody below `devices`: what an operator may have written once. */
const loosePolicy = parsePolicy(
  ['device', 'service']
    .map(
      (role) =>
        `  ${role}:\n    clientIds: ['\${id}']\n    publish: ['devices/#']\n    subscribe: ['devices/#']\n`,
    )
    .reduce((text, role) => text + role, 'version: 1\nroles:\n'),
  'loose',
)

describe('a publish', () => {
  test.each([0, 1, 2] as const)('on an allowed topic arrives at QoS %i', async (qos) => {
    const backend = await bench.connect(service)
    expect(await backend.subscribe('devices/#')).toEqual([1])
    const device = await bench.connect(pump)
    await device.publish('devices/pump/telemetry', 'hello', { qos })
    expect((await backend.message('devices/pump/telemetry')).payload.toString()).toBe('hello')
    expect(bench.counts.published).toBe(1)
  })

  test.each([0, 1, 2] as const)(
    'on a foreign topic is acknowledged and goes nowhere at QoS %i',
    async (qos) => {
      const backend = await bench.connect(service)
      await backend.subscribe('devices/#')
      const device = await bench.connect(pump)
      await device.publish('devices/valve/telemetry', 'lie', { qos, retain: true })
      await device.publish('devices/pump/telemetry')
      await backend.message('devices/pump/telemetry')
      expect(backend.topics).toEqual(['devices/pump/telemetry'])
      expect(bench.counts.denied.get('publish no-rule')).toBe(1)
      const late = await bench.connect(identity('service', 'late'))
      await late.subscribe('devices/#')
      await device.publish('devices/pump/state')
      await late.message('devices/pump/state')
      expect(late.topics).toEqual(['devices/pump/state'])
    },
  )

  test('that asks to be retained where the policy does not allow it goes nowhere', async () => {
    bench.policy = parsePolicy(
      [
        'version: 1',
        'roles:',
        "  device: { clientIds: ['${id}'], publish: ['devices/${id}/#'], retain: ['devices/${id}/state'] }",
        "  service: { clientIds: ['${id}'], subscribe: ['devices/#'] }",
      ].join('\n'),
      'retain',
    )
    const backend = await bench.connect(service)
    await backend.subscribe('devices/#')
    const device = await bench.connect(pump)
    await device.publish('devices/pump/telemetry', 'x', { retain: true })
    await device.publish('devices/pump/state', 'x', { retain: true })
    await backend.message('devices/pump/state')
    expect(backend.topics).toEqual(['devices/pump/state'])
    const will = { topic: 'devices/pump/telemetry', payload: Buffer.from('x'), qos: 0, retain: true } as const
    expect((await bench.open(valve).connect({ clientId: 'valve', will })).returnCode).toBe(5)
    const ownWill = { ...will, topic: 'devices/valve/telemetry' }
    expect((await bench.open(valve).connect({ clientId: 'valve', will: ownWill })).returnCode).toBe(5)
    const fine = { ...will, topic: 'devices/valve/state' }
    expect((await bench.open(valve).connect({ clientId: 'valve', will: fine })).returnCode).toBe(0)
  })

  test('is denied so often and then the client is disconnected', async () => {
    const device = await bench.connect(pump)
    for (let i = 0; i < 4; i++) await device.publish('devices/valve/telemetry')
    await device.publish('devices/pump/telemetry')
    device.send({ cmd: 'publish', topic: 'x', payload: '', qos: 0, retain: false, dup: false })
    await device.closed
    expect(bench.counts.ended.get('too-many-denials')).toBe(1)
  })
})

describe('a SUBSCRIBE with several filters', () => {
  test('grants the allowed ones and answers 128 for the others', async () => {
    const device = await bench.connect(pump)
    expect(await device.subscribe('#', 'devices/pump/commands/#', 'devices/+/commands/#')).toEqual([
      128, 1, 128,
    ])
  })

  test('stores nothing of the denied ones for a persistent session, so that nothing is queued', async () => {
    const device = await bench.connect(pump, false)
    await device.subscribe('devices/valve/commands/#', 'devices/pump/commands/#', 'devices/+/commands/#')
    await device.leave()
    const backend = await bench.connect(service)
    await backend.publish('devices/valve/commands/1', 'secret')
    await backend.publish('devices/pump/commands/1', 'mine')
    const again = await bench.connect(pump, false)
    expect((await again.message('devices/pump/commands/1')).payload.toString()).toBe('mine')
    await again.ping()
    expect(again.topics).toEqual(['devices/pump/commands/1'])
    // Not even a looser policy finds something that waited.
    bench.policy = loosePolicy
    const third = await bench.connect(pump, false)
    await third.ping()
    expect(third.topics).toEqual([])
  })

  test('ends at the number of filters that a session may have', async () => {
    await bench.engine.close()
    bench = await startBenchEngine({ maxFilters: 3 })
    for (const clean of [true, false]) {
      const device = await bench.connect(pump, clean)
      const filters = [1, 2, 3, 4].map((n) => `devices/pump/commands/${n}`)
      expect(await device.subscribe(...filters.slice(0, 2))).toEqual([1, 1])
      expect(await device.subscribe(...filters.slice(2))).toEqual([1, 128])
      expect(await device.subscribe(filters[0]!)).toEqual([1])
      device.send({ cmd: 'unsubscribe', messageId: 99, unsubscriptions: [filters[0]!] })
      await device.receive('unsuback')
      expect(await device.subscribe(filters[3]!)).toEqual([1])
    }
  })
})

test('a message that matches two filters of a persistent session is delivered once, and nothing is left of it', async () => {
  const device = await bench.connect(pump, false)
  await device.subscribe('devices/pump/commands/#', 'devices/pump/commands/+', 'fleet/broadcast/#')
  const backend = await bench.connect(service)
  for (let n = 1; n <= 5; n++) {
    const topic = `devices/pump/commands/${n}`
    backend.send({ cmd: 'publish', topic, payload: 'x', qos: 1, messageId: n, retain: false, dup: false })
  }
  await device.message('devices/pump/commands/5')
  await device.ping()
  expect(device.topics).toEqual([1, 2, 3, 4, 5].map((n) => `devices/pump/commands/${n}`))
  await device.leave()
  const again = await bench.connect(pump, false)
  await backend.publish('fleet/broadcast/last')
  await again.message('fleet/broadcast/last')
  expect(again.topics).toEqual(['fleet/broadcast/last'])
})

describe('when the policy is tightened', () => {
  test('a live subscription of the old policy receives nothing any more', async () => {
    bench.policy = loosePolicy
    const device = await bench.connect(pump)
    expect(await device.subscribe('devices/#')).toEqual([1])
    bench.policy = defaultPolicy
    const backend = await bench.connect(service)
    await backend.publish('devices/valve/commands/1')
    await backend.publish('devices/pump/commands/1')
    await device.message('devices/pump/commands/1')
    expect(device.topics).toEqual(['devices/pump/commands/1'])
    expect(bench.counts.denied.get('receive no-rule')).toBe(1)
  })

  test('a live persistent session loses no allowed message because of a denied one', async () => {
    bench.policy = loosePolicy
    const device = await bench.connect(pump, false)
    await device.subscribe('devices/#')
    bench.policy = defaultPolicy
    const backend = await bench.connect(service)
    // Together, so that the denied one is in the queue while the other has no packet identifier yet.
    for (const [n, owner] of ['pump', 'valve', 'pump', 'valve', 'pump'].entries()) {
      const topic = `devices/${owner}/commands/${n}`
      backend.send({
        cmd: 'publish',
        topic,
        payload: 'x',
        qos: 1,
        messageId: n + 1,
        retain: false,
        dup: false,
      })
    }
    await device.message('devices/pump/commands/4')
    expect(device.topics).toEqual([0, 2, 4].map((n) => `devices/pump/commands/${n}`))
  })

  test('what waited for an offline session is not delivered', async () => {
    bench.policy = loosePolicy
    const device = await bench.connect(pump, false)
    await device.subscribe('devices/#')
    await device.leave()
    const backend = await bench.connect(service)
    await backend.publish('devices/valve/commands/1')
    await backend.publish('devices/pump/commands/1')
    bench.policy = defaultPolicy
    const again = await bench.connect(pump, false)
    await again.message('devices/pump/commands/1')
    await again.ping()
    expect(again.topics).toEqual(['devices/pump/commands/1'])
  })

  test('a stored subscription is gone when the session is restored, and stays gone', async () => {
    bench.policy = loosePolicy
    const device = await bench.connect(pump, false)
    await device.subscribe('devices/#')
    await device.leave()
    bench.policy = defaultPolicy
    await (await bench.connect(pump, false)).leave()
    bench.policy = loosePolicy
    const again = await bench.connect(pump, false)
    const backend = await bench.connect(service)
    await backend.publish('devices/pump/commands/1')
    await again.subscribe('devices/pump/commands/2')
    await backend.publish('devices/pump/commands/2')
    await again.message('devices/pump/commands/2')
    expect(again.topics).toEqual(['devices/pump/commands/2'])
  })
})

describe('a will', () => {
  const will = { topic: 'devices/pump/state', payload: Buffer.from('gone'), qos: 1, retain: false } as const

  test('is published when the client goes without DISCONNECT', async () => {
    const backend = await bench.connect(service)
    await backend.subscribe('devices/#')
    const device = bench.open(pump)
    expect((await device.connect({ clientId: 'pump', will })).returnCode).toBe(0)
    await device.leave('abruptly')
    expect((await backend.message('devices/pump/state')).payload.toString()).toBe('gone')
  })

  test('is judged by the policy of the moment when it is published', async () => {
    const backend = await bench.connect(service)
    await backend.subscribe('devices/#')
    const device = bench.open(pump)
    await device.connect({ clientId: 'pump', will: { ...will, topic: 'devices/pump/events/x' } })
    bench.policy = parsePolicy(
      "version: 1\nroles:\n  device:\n    clientIds: ['${id}']\n    publish: ['devices/${id}/state']\n  service:\n    clientIds: ['${id}']\n    subscribe: ['devices/#']\n",
      'tight',
    )
    await device.leave('abruptly')
    await (await bench.connect(valve)).publish('devices/valve/state')
    await backend.message('devices/valve/state')
    expect(backend.topics).toEqual(['devices/valve/state'])
  })
})
