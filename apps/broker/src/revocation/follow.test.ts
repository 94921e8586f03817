import { parseSerial } from '@fleetroot/pki'
import { beforeEach, describe, expect, test } from 'vitest'
import { followedBench } from '../testing/followed-bench.ts'
import { expectSoon } from '../testing/followed-broker.ts'
import { eventText, refOf } from '../testing/registry-server.ts'

const bench = followedBench()

describe('a broker that is cut off from the enrollment server', () => {
  test('while a revocation happens closes the session when it is back', async () => {
    await bench.start()
    const device = await bench.live.join('device', 'pump', { identity: bench.pump })
    await bench.fleet.registry.down()
    await expectSoon(() => !bench.counts().isConnected)
    await bench.fleet.registry.change('revoked', refOf(bench.pump))
    await device.ping()
    await bench.fleet.registry.up()
    await device.closed
    expect(bench.live.broker.counts.ended).toEqual(new Map([['certificate-revoked', 1]]))
  })

  test('resumes the stream after the last event it has seen, and asks for the lists', async () => {
    await bench.start()
    const id = await bench.fleet.registry.change('issued', refOf(bench.pump))
    await expectSoon(() => bench.counts().lastEventId === id)
    const { polls } = bench.counts()
    const again = bench.fleet.registry.nextStream()
    bench.fleet.registry.cut()
    await again
    const { requests } = bench.fleet.registry
    expect(requests.findLast(({ path }) => path === '/v1/events')?.condition).toBe(String(id))
    // Once because the stream broke, and once more because it is there again.
    await expectSoon(() => bench.counts().polls >= polls + 2)
  })

  test('by a network that swallows everything notices the silence', async () => {
    await bench.start({ timing: { silenceMs: 300 } })
    // Nothing is sent and nothing is closed.
    await bench.fleet.registry.nextStream()
    expect(bench.logged('nothing came for 0.3 s')).toBeGreaterThanOrEqual(1)
  })

  test('learns of a revocation from the lists alone while the stream is refused', async () => {
    await bench.start({ timing: { cutOffPollMs: 20 } })
    const device = await bench.live.join('device', 'pump', { identity: bench.pump })
    bench.fleet.registry.brokenStream = 503
    bench.fleet.registry.cut()
    await expectSoon(() => !bench.counts().isConnected)
    await bench.fleet.registry.change('revoked', refOf(bench.pump))
    await device.closed
    await expectSoon(() => bench.logged('answered with status 503') === 1)
  })

  test('takes nothing from another service that answers at its address', async () => {
    await bench.start({ timing: { cutOffPollMs: 20 } })
    const { registry } = bench.fleet
    await registry.poseAs('camera-gateway')
    registry.cut()
    await expectSoon(() => !bench.counts().isConnected)
    const asked = { requests: registry.requests.length, bundles: registry.bundles }
    const { polls, failures } = bench.counts()
    await expectSoon(() => bench.counts().polls >= polls + 2 && bench.counts().failures >= failures + 2)
    expect(
      bench.logged('names the service camera-gateway, not the service enrollment-server'),
    ).toBeGreaterThanOrEqual(1)
    expect({ requests: registry.requests.length, bundles: registry.bundles }).toEqual(asked)
    expect(bench.counts().isConnected).toBe(false)
  })

  test('asks for lists only as far as they have changed', async () => {
    await bench.start({ timing: { pollMs: 10 } })
    await expectSoon(() => bench.fleet.registry.requests.length > 20)
    const conditions = bench.fleet.registry.requests
      .filter(({ path }) => path === '/crl/devices.crl')
      .slice(1)
    expect(new Set(conditions.map(({ condition }) => condition))).toEqual(new Set(['"1"']))
  })
})

describe('events', () => {
  beforeEach(() => bench.start())

  test('that are replayed change nothing: a device that was resumed stays in', async () => {
    const suspended = await bench.fleet.registry.change('suspended', refOf(bench.pump))
    const resumed = await bench.fleet.registry.change('resumed', refOf(bench.pump))
    await expectSoon(() => bench.counts().lastEventId === resumed && bench.standing(bench.pump) === 'good')
    const device = await bench.live.join('device', 'pump', { identity: bench.pump })
    bench.fleet.registry.replay(suspended)
    bench.fleet.registry.replay(resumed)
    bench.fleet.registry.replay(suspended)
    const after = await bench.fleet.registry.change('issued', refOf(bench.lamp))
    await expectSoon(() => bench.counts().lastEventId === after)
    await device.ping()
    expect([
      bench.standing(bench.pump),
      bench.counts().repeated,
      bench.live.broker.counts.ended.size,
    ]).toEqual(['good', 3, 0])
  })

  test('that are replayed do not let a revoked device in', async () => {
    await bench.fleet.registry.change('suspended', refOf(bench.pump))
    const resumed = await bench.fleet.registry.change('resumed', refOf(bench.pump))
    const revoked = await bench.fleet.registry.change('revoked', refOf(bench.pump))
    bench.fleet.registry.replay(resumed)
    await expectSoon(() => bench.counts().lastEventId === revoked && bench.counts().repeated === 1)
    expect(bench.standing(bench.pump)).toBe('revoked')
  })

  test('release nothing before a list does, however new they are', async () => {
    await bench.fleet.registry.change('suspended', refOf(bench.pump))
    await expectSoon(() => bench.standing(bench.pump) === 'suspended')
    const { polls } = bench.counts()
    bench.fleet.registry.send(eventText(2, 'resumed', [refOf(bench.pump)]))
    await expectSoon(() => bench.counts().polls > polls + 3)
    expect(bench.standing(bench.pump)).toBe('suspended')
    // The real second event has the same number.
    await bench.fleet.registry.change('resumed', refOf(bench.pump))
    await expectSoon(() => bench.standing(bench.pump) === 'good')
  })

  test('with a number from far ahead do not make the broker deaf to those that follow', async () => {
    bench.fleet.registry.send(eventText(5_000, 'issued', [refOf(bench.lamp)]))
    await expectSoon(() => bench.counts().lastEventId === 5_000)
    await bench.fleet.registry.change('suspended', refOf(bench.lamp))
    await bench.fleet.registry.change('revoked', refOf(bench.pump))
    await expectSoon(
      () => bench.standing(bench.pump) === 'revoked' && bench.standing(bench.lamp) === 'suspended',
    )
  })

  test('with the number of another one do not pass for it', async () => {
    const id = await bench.fleet.registry.change('issued', refOf(bench.lamp))
    bench.fleet.registry.send(eventText(id, 'resumed', [refOf(bench.pump)]))
    await bench.fleet.registry.change('revoked', refOf(bench.pump))
    await expectSoon(() => bench.counts().repeated === 1 && bench.standing(bench.pump) === 'revoked')
  })

  test('that are missing send the broker to the lists, and nothing is missed', async () => {
    bench.fleet.registry.record('revoked', refOf(bench.pump))
    await bench.fleet.registry.sign('devices')
    const id = await bench.fleet.registry.change('issued', refOf(bench.lamp))
    await expectSoon(() => bench.standing(bench.pump) === 'revoked' && bench.counts().lastEventId === id)
    expect([bench.counts().gaps, bench.logged('events are missing')]).toEqual([1, 1])
  })

  test('that come out of order count all the same', async () => {
    const first = bench.fleet.registry.record('revoked', refOf(bench.pump))
    const second = bench.fleet.registry.record('revoked', refOf(bench.lamp))
    // The lists are of no help: only the events tell.
    bench.fleet.registry.replay(second)
    await expectSoon(() => bench.standing(bench.lamp) === 'revoked')
    bench.fleet.registry.replay(first)
    await expectSoon(() => bench.standing(bench.pump) === 'revoked' && bench.counts().lastEventId === second)
  })

  test.each([
    ['is not JSON', (id: number) => `id: ${id}\nevent: revoked\ndata: {garbage\n\n`],
    ['is of a kind unknown here', (id: number) => eventText(id, 'exploded', [])],
    ['has no number', () => 'event: revoked\ndata: {}\n\n'],
    [
      'lists a serial that is none',
      (id: number) =>
        eventText(id, 'revoked', [{ issuer: 'devices', serial: parseSerial('01') }]).replace('"01"', '"xx"'),
    ],
  ])('of which one %s send the broker to the lists', async (_what, text) => {
    const id = bench.fleet.registry.record('revoked', refOf(bench.pump))
    await bench.fleet.registry.sign('devices')
    bench.fleet.registry.send(text(id))
    await expectSoon(() => bench.standing(bench.pump) === 'revoked' && bench.counts().lastEventId === id)
    expect(bench.counts().unreadable).toBe(1)
    const next = await bench.fleet.registry.change('revoked', refOf(bench.lamp))
    await expectSoon(() => bench.counts().lastEventId === next)
  })

  test('without an end break the connection, which is made anew', async () => {
    const again = bench.fleet.registry.nextStream()
    bench.fleet.registry.send(`data: ${'x'.repeat(1_100_000)}`)
    await again
    expect(bench.logged('an event is longer than')).toBe(1)
    await bench.fleet.registry.change('revoked', refOf(bench.pump))
    await expectSoon(() => bench.standing(bench.pump) === 'revoked')
  })

  test('that the server no longer has are made up for by the lists', async () => {
    await bench.fleet.registry.down()
    await expectSoon(() => !bench.counts().isConnected)
    bench.fleet.registry.record('revoked', refOf(bench.pump))
    for (let i = 0; i < 5; i++) bench.fleet.registry.record('issued', refOf(bench.lamp))
    await bench.fleet.registry.sign('devices')
    await bench.fleet.registry.sign('services')
    bench.fleet.registry.keptFrom = 5
    // The lists come late, so that the stream is open first.
    bench.fleet.registry.brokenList = () => 503
    await bench.fleet.registry.up()
    await expectSoon(() => bench.logged('no longer has the events') === 1)
    expect(bench.standing(bench.pump)).toBe('good')
    bench.fleet.registry.brokenList = undefined
    await expectSoon(() => bench.standing(bench.pump) === 'revoked' && bench.counts().lastEventId === 6)
    const next = await bench.fleet.registry.change('revoked', refOf(bench.lamp))
    await expectSoon(() => bench.counts().lastEventId === next)
  })
})
