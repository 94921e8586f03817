import { parsePolicy } from '@fleetroot/policy'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type BenchEngine, identity, startBenchEngine } from '../testing/bench-engine.ts'
import { memoryConnection } from '../testing/memory-connection.ts'
import { Session } from './session.ts'
import { Takeover } from './takeover.ts'

const pump = identity('device', 'pump')
const service = identity('service', 'backend')

let bench: BenchEngine

beforeEach(async () => {
  bench = await startBenchEngine()
})
afterEach(async () => {
  await bench.engine.close()
})

test('a newcomer waits until its predecessor is gone, not only until it is told to go', async () => {
  const takeover = new Takeover()
  const events: string[] = []
  const session = (name: string): Session =>
    new Session(pump, { listener: 'mqtts', address: 'memory' }, memoryConnection()[0], () =>
      events.push(`${name} ended`),
    )
  const [first, second, third] = [session('first'), session('second'), session('third')]
  await takeover.enter(first, 'key')
  const entered = [second, third].map(async (newcomer, i) => {
    await takeover.enter(newcomer, 'key')
    events.push(`${i + 2} entered`)
    newcomer.markGone()
  })
  await new Promise((resolve) => setImmediate(resolve))
  events.push('first gone')
  first.markGone()
  await Promise.all(entered)
  expect(events).toEqual(['first ended', 'second ended', 'first gone', '2 entered', '3 entered'])
})

test('a newer connection of the same identity ends the older one and keeps its session', async () => {
  const older = await bench.connect(pump, false)
  await older.subscribe('devices/pump/commands/#')
  const newer = bench.open(pump)
  expect((await newer.connect({ clientId: 'pump', clean: false })).sessionPresent).toBe(true)
  await older.closed
  const backend = await bench.connect(service)
  await backend.publish('devices/pump/commands/1')
  await newer.message('devices/pump/commands/1')
  expect(older.topics).toEqual([])
  expect(bench.counts.ended.get('taken-over')).toBe(1)
})

test('the will of the older connection is out before the newer one is connected', async () => {
  const backend = await bench.connect(service)
  await backend.subscribe('devices/#')
  const older = bench.open(pump)
  const will = { topic: 'devices/pump/state', payload: Buffer.from('gone'), qos: 0, retain: false } as const
  await older.connect({ clientId: 'pump', will })
  const newer = await bench.connect(pump)
  await newer.publish('devices/pump/state', 'back')
  await backend.message('devices/pump/state')
  await backend.message('devices/pump/state')
  expect(backend.messages.map(({ payload }) => payload.toString())).toEqual(['gone', 'back'])
})

test('a will on a foreign topic neither takes a session over nor goes out with one that is taken over', async () => {
  const backend = await bench.connect(service)
  await backend.subscribe('devices/#')
  const will = (topic: string) => ({ topic, payload: Buffer.from('mine now'), qos: 1, retain: true }) as const
  const older = bench.open(pump)
  await older.connect({ clientId: 'pump', will: will('devices/pump/state') })
  // Refused before anything is taken over.
  const foreign = bench.open(pump)
  expect((await foreign.connect({ clientId: 'pump', will: will('devices/lamp/state') })).returnCode).toBe(5)
  await older.ping()
  // What was its own topic when it connected is foreign when it is taken over.
  bench.policy = parsePolicy(
    'version: 1\nroles: { device: { clientIds: any, publish: ["other/#"] }, service: { clientIds: any, subscribe: ["devices/#"] } }',
    'tightened',
  )
  const newer = await bench.connect(pump)
  await older.closed
  await newer.ping()
  await backend.ping()
  const late = await bench.connect(identity('service', 'late'))
  await late.subscribe('devices/#')
  await late.ping()
  expect([backend.topics, late.topics]).toEqual([[], []])
})

test.each([true, false])(
  'of many connections at once exactly one is left and it works (clean %s)',
  async (clean) => {
    const clients = Array.from({ length: 20 }, () => bench.open(pump))
    for (const client of clients) client.connect({ clientId: 'pump', clean }).catch(() => undefined)
    const last = clients.at(-1)!
    await last.ping()
    await Promise.all(clients.slice(0, -1).map((client) => client.closed))
    expect(bench.counts.open).toBe(1)
    await last.subscribe('devices/pump/commands/#')
    const backend = await bench.connect(service)
    await backend.publish('devices/pump/commands/1')
    await last.message('devices/pump/commands/1')
    expect(last.topics).toEqual(['devices/pump/commands/1'])
  },
)

test('a connection that breaks off after CONNECT leaves nothing behind', async () => {
  for (let i = 0; i < 50; i++) {
    const hasty = bench.open(pump)
    hasty.connect({ clientId: 'pump', clean: false }).catch(() => undefined)
    if (i % 2 === 0) await new Promise((resolve) => setImmediate(resolve))
    hasty.stream.destroy()
  }
  const device = await bench.connect(pump)
  await device.ping()
  expect(bench.counts.open).toBe(1)
})

test('a service that may call itself backend.x can neither end nor inherit the session of a device backend.x', async () => {
  const device = await bench.connect(identity('device', 'backend.x'), false)
  await device.subscribe('devices/backend.x/commands/#')
  const rival = bench.open(service)
  const connack = await rival.connect({ clientId: 'backend.x', clean: false })
  expect(connack).toMatchObject({ returnCode: 0, sessionPresent: false })
  await device.ping()
  await rival.publish('devices/backend.x/commands/1')
  await device.message('devices/backend.x/commands/1')
  expect(rival.topics).toEqual([])
})
