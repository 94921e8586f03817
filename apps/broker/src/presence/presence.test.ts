import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parsePolicy } from '@fleetroot/policy'
import { Session } from '../engine/session.ts'
import { type BenchEngine, identity, startBenchEngine } from '../testing/bench-engine.ts'
import { memoryConnection } from '../testing/memory-connection.ts'
import type { WireClient } from '../testing/wire-client.ts'
import { parseSerial } from '@fleetroot/pki'
import { type OwnMessage, Presence, type PresenceState } from './presence.ts'

let bench: BenchEngine
let service: WireClient

beforeEach(async () => {
  bench = await startBenchEngine()
  service = await bench.connect(identity('service', 'backend'))
  await service.subscribe('fleet/presence/+', 'fleet/lifecycle/+')
})
afterEach(async () => {
  await bench.engine.close()
})

async function presence(id: string): Promise<PresenceState> {
  const { payload } = await service.message(`fleet/presence/${id}`)
  return JSON.parse(payload.toString()) as PresenceState
}

const free = parsePolicy(
  `version: 1
roles:
  device: { clientIds: ['\${id}'], publish: ['#'], subscribe: ['#', '$SYS/#'] }
  service: { clientIds: ['\${id}', '\${id}.*'], publish: ['#'], subscribe: ['#', '$SYS/#'] }
  operator: { clientIds: ['\${id}'], subscribe: ['#', '$SYS/#'] }
`,
  'free',
)

const several = parsePolicy(
  `version: 1
roles:
  device: { clientIds: any }
  service: { clientIds: any, subscribe: ['fleet/#'] }
  operator: { clientIds: any }
`,
  'several',
)

describe('presence', () => {
  test('says who is online, since when, with which certificate, until when', async () => {
    await bench.connect(
      identity('device', 'eve', { serial: parseSerial('0a'), notAfterMs: 1_800_000_000_000 }),
    )
    expect(await presence('eve')).toEqual({
      online: true,
      since: '2023-11-14T22:13:20.000Z',
      reason: 'connected',
      version: expect.any(Number),
      serial: '0a',
      expires: '2027-01-15T08:00:00.000Z',
    })
  })

  test.each(['politely', 'abruptly'] as const)('says how a device left that left %s', async (how) => {
    const eve = await bench.connect(identity('device', 'eve'))
    const { version } = await presence('eve')
    bench.time += 5_000
    await eve.leave(how)
    const state = await presence('eve')
    expect(state).toMatchObject({
      online: false,
      since: '2023-11-14T22:13:25.000Z',
      reason: how === 'politely' ? 'disconnected' : 'connection-lost',
    })
    expect(state.version).toBeGreaterThan(version)
  })

  test('is retained: whoever subscribes later knows it, too', async () => {
    await bench.connect(identity('device', 'eve'))
    await presence('eve')
    const late = await bench.connect(identity('service', 'late'))
    await late.subscribe('fleet/presence/eve')
    const { payload, retain } = await late.message('fleet/presence/eve')
    expect(retain).toBe(true)
    expect(JSON.parse(payload.toString())).toMatchObject({ online: true })
  })

  test('of a device whose new connection takes its session over stays online, with the new certificate', async () => {
    await bench.connect(identity('device', 'eve', { serial: parseSerial('0a') }))
    const old = await presence('eve')
    const again = await bench.connect(identity('device', 'eve', { serial: parseSerial('0b') }))
    const state = await presence('eve')
    expect(state).toMatchObject({ online: true, serial: '0b' })
    expect(state.version).toBeGreaterThan(old.version)
    await again.leave()
    expect(await presence('eve')).toMatchObject({ online: false, serial: '0b', reason: 'disconnected' })
    expect(service.topics.filter((topic) => topic === 'fleet/presence/eve')).toHaveLength(3)
  })

  test('of ten connections that take the same session over at once ends with the truth', async () => {
    const who = identity('device', 'eve')
    const clients = Array.from({ length: 10 }, () => bench.open(who))
    await Promise.allSettled(clients.map((client) => client.connect({ clientId: 'eve' })))
    const survivors = clients.filter(({ stream }) => !stream.destroyed)
    expect(survivors).toHaveLength(1)
    let state = await presence('eve')
    expect(state.online).toBe(true)
    await survivors[0]!.leave()
    while (state.online) state = await presence('eve')
    const late = await bench.connect(identity('service', 'late'))
    await late.subscribe('fleet/presence/eve')
    const { payload } = await late.message('fleet/presence/eve')
    expect(JSON.parse(payload.toString())).toEqual(state)
  })

  test('of a device with several sessions ends with the last of them', async () => {
    bench.policy = several
    const who = identity('device', 'gateway')
    const one = bench.open(who)
    const other = bench.open(who)
    await one.connect({ clientId: 'gateway.1' })
    await other.connect({ clientId: 'gateway.2' })
    expect(await presence('gateway')).toMatchObject({ online: true })
    await one.leave()
    await other.leave()
    expect(await presence('gateway')).toMatchObject({ online: false })
    expect(service.topics.filter((topic) => topic === 'fleet/presence/gateway')).toHaveLength(2)
  })

  test.each(['service', 'operator'] as const)(
    'is that of devices: whoever else has the id of one says nothing of it (%s)',
    async (role) => {
      bench.policy = several
      const namesake = identity(role, 'eve', { serial: parseSerial('0b') })
      await (await bench.connect(namesake)).leave()
      const eve = await bench.connect(identity('device', 'eve', { serial: parseSerial('0a') }))
      const other = await bench.connect(namesake)
      expect(await presence('eve')).toMatchObject({ online: true, serial: '0a' })
      await eve.leave()
      expect(await presence('eve')).toMatchObject({ online: false, serial: '0a', reason: 'disconnected' })
      await other.leave()
      const events = (): string[] =>
        service.messages
          .filter(({ topic }) => topic === 'fleet/lifecycle/eve')
          .map(({ payload }) => JSON.parse(payload.toString()) as { event: string; role: string })
          .map(({ event, role: of }) => `${of} ${event}`)
      while (events().length < 6) await service.receive('publish')
      expect(events().toSorted()).toEqual([
        'device connected',
        'device disconnected',
        ...['connected', 'connected', 'disconnected', 'disconnected'].map((event) => `${role} ${event}`),
      ])
      expect(service.topics.filter((topic) => topic === 'fleet/presence/eve')).toHaveLength(2)
    },
  )

  test('says that a certificate was revoked', async () => {
    const who = identity('device', 'eve', { serial: parseSerial('0a') })
    await bench.connect(who)
    await presence('eve')
    bench.revocation.applyTo(who, 'revoked', 1)
    expect(await presence('eve')).toMatchObject({ online: false, reason: 'certificate-revoked' })
  })

  test('of everybody whom a killed broker left online is offline when the next one starts', async () => {
    const retained = (online: boolean, version: number): OwnMessage => ({
      topic: `fleet/presence/eve-${version}`,
      payload: Buffer.from(
        JSON.stringify({ online, since: 'x', reason: 'connected', version, serial: '0a', expires: 'y' }),
      ),
      qos: 1,
      retain: true,
    })
    const sent: OwnMessage[] = []
    const next = new Presence(
      (message) => {
        sent.push(message)
        return Promise.resolve()
      },
      () => 1_000,
    )
    const garbage = { topic: 'fleet/presence/x', payload: '{' }
    async function* left(): AsyncGenerator<{ topic: string; payload: string | Buffer }> {
      yield* [retained(true, 5_000), retained(false, 5_001), garbage, retained(true, 7_000)]
    }
    await next.restart(left())
    expect(sent.map(({ topic, payload }) => [topic, JSON.parse(payload.toString())])).toEqual([
      [
        'fleet/presence/eve-5000',
        {
          online: false,
          since: '1970-01-01T00:00:01.000Z',
          reason: 'broker-restarted',
          version: 7_001,
          serial: '0a',
          expires: 'y',
        },
      ],
      [
        'fleet/presence/eve-7000',
        {
          online: false,
          since: '1970-01-01T00:00:01.000Z',
          reason: 'broker-restarted',
          version: 7_002,
          serial: '0a',
          expires: 'y',
        },
      ],
    ])
  })

  test('of a device whose connection ends before it is in says nothing while the store cannot be read, and goes on', async () => {
    // oxlint-disable-next-line require-yield -- it fails before it has anything
    const statesOf = async function* (): AsyncGenerator<{ topic: string; payload: string }> {
      throw new Error('no connection to Redis')
    }
    const sent: string[] = []
    const presence = new Presence(
      async ({ topic }) => void sent.push(topic),
      () => 1_000,
      statesOf,
    )
    const [stream] = memoryConnection()
    const origin = { listener: 'mqtts', address: 'memory' }
    const session = new Session(identity('device', 'eve'), origin, stream, () => undefined)
    presence.entered(session)
    session.state = 'admitted'
    // What nobody catches ends the process, and this test.
    presence.left(session)
    stream.destroy()
    await presence.settled()
    expect(sent).toEqual([])
  })

  test.each([
    ['online, when another broker has handed it over', true, ['eve false connection-lost']],
    ['offline', false, []],
    ['not known', undefined, []],
  ])(
    'of a device whose connection ends before it is in says what is new: it was %s',
    async (_, was, says) => {
      const sent: string[] = []
      const publish = async ({ topic, payload, presence: said }: OwnMessage): Promise<void> => {
        const { online, reason } = JSON.parse(payload.toString()) as PresenceState
        expect([topic, said]).toEqual(['fleet/presence/eve', { id: 'eve', online: false }])
        sent.push(`${said!.id} ${online} ${reason}`)
      }
      const statesOf = async function* (id: string): AsyncGenerator<{ topic: string; payload: string }> {
        const topic = `fleet/presence/${id}`
        if (was !== undefined) yield { topic, payload: JSON.stringify({ online: was, version: 1 }) }
      }
      const several = new Presence(publish, () => 1_000, statesOf)
      for (const role of ['device', 'service'] as const) {
        const [stream] = memoryConnection()
        const origin = { listener: 'mqtts', address: 'memory' }
        const session = new Session(identity(role, 'eve'), origin, stream, () => undefined)
        several.entered(session)
        session.state = 'admitted'
        several.left(session)
        stream.destroy()
      }
      await several.settled()
      expect(sent).toEqual(says)
    },
  )

  test('is published by nobody else, whatever the policy says', async () => {
    bench.policy = free
    const eve = await bench.connect(identity('device', 'eve'))
    const truth = await presence('eve')
    await eve.publish('fleet/presence/eve', '{"online":false}', { retain: true })
    await eve.publish('fleet/presence/bob', '{"online":true}', { retain: true })
    await eve.publish('fleet/presence/eve', '', { retain: true })
    await eve.publish('fleet/lifecycle/bob', '{"event":"connected"}')
    await service.subscribe('devices/#')
    await eve.publish('devices/mark')
    await service.message('devices/mark')
    const late = await bench.connect(identity('service', 'late'))
    await late.subscribe('fleet/presence/#')
    const { payload } = await late.message('fleet/presence/eve')
    expect(JSON.parse(payload.toString())).toEqual(truth)
    const told = [...service.topics, ...late.topics]
    expect(told).not.toContain('fleet/presence/bob')
    expect(told).not.toContain('fleet/lifecycle/bob')
    expect(bench.counts.denied.get('publish topic-reserved')).toBe(4)
  })

  test('is in nobody’s will', async () => {
    bench.policy = free
    const eve = bench.open(identity('device', 'eve'))
    const will = { topic: 'fleet/presence/bob', payload: Buffer.from('{}'), qos: 1 as const, retain: true }
    expect((await eve.connect({ clientId: 'eve', will })).returnCode).toBe(5)
  })
})

describe('lifecycle events', () => {
  test('say of each connection when it began, when it ended and why', async () => {
    const eve = await bench.connect(identity('device', 'eve'))
    await eve.leave()
    const events = [
      await service.message('fleet/lifecycle/eve'),
      await service.message('fleet/lifecycle/eve'),
    ]
    expect(events.map(({ payload }) => JSON.parse(payload.toString()))).toMatchObject([
      { event: 'connected', clientId: 'eve', role: 'device', serial: '01', listener: 'mqtts' },
      { event: 'disconnected', clientId: 'eve', reason: 'disconnected' },
    ])
  })
})

test('$SYS is for operators, whatever the policy says', async () => {
  bench.policy = free
  const eve = await bench.connect(identity('device', 'eve'))
  const operator = await bench.connect(identity('operator', 'op'))
  expect(await eve.subscribe('$SYS/#', '$SYS/+/new/clients')).toEqual([128, 128])
  expect(await service.subscribe('$SYS/#')).toEqual([128])
  expect(await operator.subscribe('$SYS/+/new/clients')).toEqual([1])
  await bench.connect(identity('device', 'bob'))
  const { topic, payload } = await operator.receive('publish')
  expect([topic.replace(/\/[^/]+\//, '/+/'), payload.toString()]).toEqual([
    '$SYS/+/new/clients',
    'device/bob/bob',
  ])
})
