import { parseCertificates, parseSerial } from '@fleetroot/pki'
import { temporaryFolder } from '@fleetroot/harness'
import type { KeyAndCertificate } from '@fleetroot/tls-config'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { issueFor } from '../testing/authority.ts'
import {
  type FollowedBroker,
  type FollowedFleet,
  type FollowedOptions,
  startFollowedFleet,
  expectSoon,
} from '../testing/followed-broker.ts'
import { eventText, refOf } from '../testing/registry-server.ts'

let folder: ReturnType<typeof temporaryFolder>
let fleet: FollowedFleet
let live: FollowedBroker
let pump: KeyAndCertificate
let lamp: KeyAndCertificate

/** Starts a broker that has read the lists and whose stream is open. */
async function start(how: FollowedOptions = {}): Promise<void> {
  live = await fleet.startBroker(how)
  await expectSoon(() => live.follower.counts().isConnected && live.follower.counts().polls >= 2)
}

beforeEach(async () => {
  folder = temporaryFolder()
  fleet = await startFollowedFleet(folder.path)
  pump = await issueFor(fleet.authority, { profile: 'device', id: 'pump' })
  lamp = await issueFor(fleet.authority, { profile: 'device', id: 'lamp' })
})
afterEach(async () => {
  await fleet.close()
  folder[Symbol.dispose]()
})

/** What the broker holds of this identity now. */
function standing(identity: KeyAndCertificate): string {
  const [leaf] = parseCertificates(identity.cert)
  return live.revocation.standingOf({ issuerKeyId: leaf!.authorityKeyId ?? '', serial: leaf!.serial })
}
const counts = () => live.follower.counts()
const logged = (text: string): number => fleet.log.filter((line) => line.includes(text)).length

describe('a broker that is cut off from the enrollment server', () => {
  test('while a revocation happens closes the session when it is back', async () => {
    await start()
    const device = await live.join('device', 'pump', { identity: pump })
    await fleet.registry.down()
    await expectSoon(() => !counts().isConnected)
    await fleet.registry.change('revoked', refOf(pump))
    await device.ping()
    await fleet.registry.up()
    await device.closed
    expect(live.broker.counts.ended).toEqual(new Map([['certificate-revoked', 1]]))
  })

  test('resumes the stream after the last event it has seen, and asks for the lists', async () => {
    await start()
    const id = await fleet.registry.change('issued', refOf(pump))
    await expectSoon(() => counts().lastEventId === id)
    const { polls } = counts()
    const again = fleet.registry.nextStream()
    fleet.registry.cut()
    await again
    const { requests } = fleet.registry
    expect(requests.findLast(({ path }) => path === '/v1/events')?.condition).toBe(String(id))
    // Once because the stream broke, and once more because it is there again.
    await expectSoon(() => counts().polls >= polls + 2)
  })

  test('by a network that swallows everything notices the silence', async () => {
    await start({ timing: { silenceMs: 300 } })
    // Nothing is sent and nothing is closed.
    await fleet.registry.nextStream()
    expect(logged('nothing came for 0.3 s')).toBeGreaterThanOrEqual(1)
  })

  test('learns of a revocation from the lists alone while the stream is refused', async () => {
    await start({ timing: { cutOffPollMs: 20 } })
    const device = await live.join('device', 'pump', { identity: pump })
    fleet.registry.brokenStream = 503
    fleet.registry.cut()
    await expectSoon(() => !counts().isConnected)
    await fleet.registry.change('revoked', refOf(pump))
    await device.closed
    await expectSoon(() => logged('answered with status 503') === 1)
  })

  test('asks for lists only as far as they have changed', async () => {
    await start({ timing: { pollMs: 10 } })
    await expectSoon(() => fleet.registry.requests.length > 20)
    const conditions = fleet.registry.requests.filter(({ path }) => path === '/crl/devices.crl').slice(1)
    expect(new Set(conditions.map(({ condition }) => condition))).toEqual(new Set(['"1"']))
  })
})

describe('events', () => {
  beforeEach(() => start())

  test('that are replayed change nothing: a device that was resumed stays in', async () => {
    const suspended = await fleet.registry.change('suspended', refOf(pump))
    const resumed = await fleet.registry.change('resumed', refOf(pump))
    await expectSoon(() => counts().lastEventId === resumed && standing(pump) === 'good')
    const device = await live.join('device', 'pump', { identity: pump })
    fleet.registry.replay(suspended)
    fleet.registry.replay(resumed)
    fleet.registry.replay(suspended)
    const after = await fleet.registry.change('issued', refOf(lamp))
    await expectSoon(() => counts().lastEventId === after)
    await device.ping()
    expect([standing(pump), counts().repeated, live.broker.counts.ended.size]).toEqual(['good', 3, 0])
  })

  test('that are replayed do not let a revoked device in', async () => {
    await fleet.registry.change('suspended', refOf(pump))
    const resumed = await fleet.registry.change('resumed', refOf(pump))
    const revoked = await fleet.registry.change('revoked', refOf(pump))
    fleet.registry.replay(resumed)
    await expectSoon(() => counts().lastEventId === revoked && counts().repeated === 1)
    expect(standing(pump)).toBe('revoked')
  })

  test('release nothing before a list does, however new they are', async () => {
    await fleet.registry.change('suspended', refOf(pump))
    await expectSoon(() => standing(pump) === 'suspended')
    const { polls } = counts()
    fleet.registry.send(eventText(2, 'resumed', [refOf(pump)]))
    await expectSoon(() => counts().polls > polls + 3)
    expect(standing(pump)).toBe('suspended')
    // The real second event has the same number.
    await fleet.registry.change('resumed', refOf(pump))
    await expectSoon(() => standing(pump) === 'good')
  })

  test('with a number from far ahead do not make the broker deaf to those that follow', async () => {
    fleet.registry.send(eventText(5_000, 'issued', [refOf(lamp)]))
    await expectSoon(() => counts().lastEventId === 5_000)
    await fleet.registry.change('suspended', refOf(lamp))
    await fleet.registry.change('revoked', refOf(pump))
    await expectSoon(() => standing(pump) === 'revoked' && standing(lamp) === 'suspended')
  })

  test('with the number of another one do not pass for it', async () => {
    const id = await fleet.registry.change('issued', refOf(lamp))
    fleet.registry.send(eventText(id, 'resumed', [refOf(pump)]))
    await fleet.registry.change('revoked', refOf(pump))
    await expectSoon(() => counts().repeated === 1 && standing(pump) === 'revoked')
  })

  test('that are missing send the broker to the lists, and nothing is missed', async () => {
    fleet.registry.record('revoked', refOf(pump))
    await fleet.registry.sign('devices')
    const id = await fleet.registry.change('issued', refOf(lamp))
    await expectSoon(() => standing(pump) === 'revoked' && counts().lastEventId === id)
    expect([counts().gaps, logged('events are missing')]).toEqual([1, 1])
  })

  test('that come out of order count all the same', async () => {
    const first = fleet.registry.record('revoked', refOf(pump))
    const second = fleet.registry.record('revoked', refOf(lamp))
    // The lists are of no help: only the events tell.
    fleet.registry.replay(second)
    await expectSoon(() => standing(lamp) === 'revoked')
    fleet.registry.replay(first)
    await expectSoon(() => standing(pump) === 'revoked' && counts().lastEventId === second)
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
    const id = fleet.registry.record('revoked', refOf(pump))
    await fleet.registry.sign('devices')
    fleet.registry.send(text(id))
    await expectSoon(() => standing(pump) === 'revoked' && counts().lastEventId === id)
    expect(counts().unreadable).toBe(1)
    const next = await fleet.registry.change('revoked', refOf(lamp))
    await expectSoon(() => counts().lastEventId === next)
  })

  test('without an end break the connection, which is made anew', async () => {
    const again = fleet.registry.nextStream()
    fleet.registry.send(`data: ${'x'.repeat(1_100_000)}`)
    await again
    expect(logged('an event is longer than')).toBe(1)
    await fleet.registry.change('revoked', refOf(pump))
    await expectSoon(() => standing(pump) === 'revoked')
  })

  test('that the server no longer has are made up for by the lists', async () => {
    await fleet.registry.down()
    await expectSoon(() => !counts().isConnected)
    fleet.registry.record('revoked', refOf(pump))
    for (let i = 0; i < 5; i++) fleet.registry.record('issued', refOf(lamp))
    await fleet.registry.sign('devices')
    await fleet.registry.sign('services')
    fleet.registry.keptFrom = 5
    // The lists come late, so that the stream is open first.
    fleet.registry.brokenList = () => 503
    await fleet.registry.up()
    await expectSoon(() => logged('no longer has the events') === 1)
    expect(standing(pump)).toBe('good')
    fleet.registry.brokenList = undefined
    await expectSoon(() => standing(pump) === 'revoked' && counts().lastEventId === 6)
    const next = await fleet.registry.change('revoked', refOf(lamp))
    await expectSoon(() => counts().lastEventId === next)
  })
})
