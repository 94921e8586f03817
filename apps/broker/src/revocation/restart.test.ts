import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseCertificates } from '@fleetroot/pki'
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
import { refOf } from '../testing/registry-server.ts'

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

describe('a broker that is started', () => {
  test('for the first time without an enrollment server lets nobody in, under either policy', async () => {
    await fleet.registry.down()
    for (const policy of ['fail-open', 'fail-closed'] as const) {
      live = await fleet.startBroker({ stale: { policy } })
      expect([standing(pump), live.revocation.isClosed()]).toEqual(['unknown', true])
      await expect(live.join('device', 'pump', { identity: pump })).rejects.toThrow('ended')
      expect(live.broker.counts.refused.get('revocation-stale')).toBe(1)
      await live.close()
    }
  })

  test('without an enrollment server knows what it knew, and what the last event said', async () => {
    await start()
    await fleet.registry.change('revoked', refOf(pump))
    // This one is in no list that the broker has seen.
    fleet.registry.record('revoked', refOf(lamp))
    fleet.registry.replay(2)
    await expectSoon(() => counts().lastEventId === 2)
    await live.close()
    await fleet.registry.down()

    live = await fleet.startBroker()
    expect([standing(pump), standing(lamp)]).toEqual(['revoked', 'revoked'])
    await live.join('device', 'other')
    await fleet.registry.up()
    await fleet.registry.nextStream()
    expect(fleet.registry.requests.findLast(({ path }) => path === '/v1/events')?.condition).toBe('2')
  })

  test('keeps what it knows in files that nobody else may read, and makes them whole', async () => {
    await start()
    await live.close()
    const directory = join(folder.path, 'broker/revocation')
    expect(readdirSync(directory).toSorted()).toEqual(['devices.crl', 'services.crl', 'state.json'])
    const modes = readdirSync(directory).map((name) => statSync(join(directory, name)).mode & 0o777)
    expect(modes).toEqual([0o600, 0o600, 0o600])
  })

  test('does not believe a copy whose signature does not verify', async () => {
    await fleet.registry.change('revoked', refOf(pump))
    await start()
    await live.close()
    await fleet.registry.down()
    const path = join(folder.path, 'broker/revocation/devices.crl')
    const der = readFileSync(path)
    der[der.length - 10] = der[der.length - 10]! ^ 1
    writeFileSync(path, der)
    live = await fleet.startBroker()
    expect([standing(lamp), live.revocation.isClosed()]).toEqual(['unknown', true])
    expect(logged('the copy of a revocation list is not used')).toBe(1)
  })

  test.each(['{', '{"version":1}', '[]'])('survives a damaged state file: %s', async (text) => {
    await start()
    await live.close()
    writeFileSync(join(folder.path, 'broker/revocation/state.json'), text)
    await start()
    expect(standing(pump)).toBe('good')
  })

  test('after a long time off treats its copy as what it is: old', async () => {
    await start()
    await live.close()
    await fleet.registry.down()
    fleet.time = Date.now() + 600_001
    live = await fleet.startBroker()
    expect(standing(pump)).toBe('unknown')
    await live.close()
    live = await fleet.startBroker({ stale: { policy: 'fail-open' } })
    expect([standing(pump), live.revocation.status().isStale]).toEqual(['good', true])
  })
})

describe('stale revocation data', () => {
  test('under fail-closed ends the sessions and lets nobody in, until the server is back', async () => {
    await start()
    const device = await live.join('device', 'pump', { identity: pump })
    await fleet.registry.down()
    await expectSoon(() => !counts().isConnected)
    fleet.time = Date.now() + 600_000
    await device.closed
    expect(live.broker.counts.ended).toEqual(new Map([['revocation-stale', 1]]))
    await expect(live.join('device', 'pump', { identity: pump })).rejects.toThrow('ended')
    expect(live.broker.counts.refused.get('revocation-stale')).toBe(1)
    await fleet.registry.up()
    await expectSoon(() => !live.revocation.isClosed())
    await live.join('device', 'pump', { identity: pump })
  })

  test('under fail-open goes by what was known, and a revoked device stays out', async () => {
    await fleet.registry.change('revoked', refOf(lamp))
    await start({ stale: { policy: 'fail-open' } })
    const device = await live.join('device', 'pump', { identity: pump })
    await fleet.registry.down()
    await expectSoon(() => !counts().isConnected)
    fleet.time = Date.now() + 86_400_000
    await device.ping()
    await live.join('device', 'other')
    await expect(live.join('device', 'lamp', { identity: lamp })).rejects.toThrow('ended')
    expect(live.revocation.status()).toMatchObject({ isStale: true, isClosed: false })
  })

  test('is not made recent by lists that are past their nextUpdate', async () => {
    await start({ timing: { cutOffPollMs: 20 } })
    fleet.registry.brokenStream = 503
    fleet.registry.cut()
    await expectSoon(() => !counts().isConnected)
    fleet.time = Date.now() + fleet.registry.listLifetimeMs + 1
    const before = counts().polls
    await expectSoon(() => counts().polls > before + 2)
    expect(live.revocation.isClosed()).toBe(true)
  })

  test('is kept recent by a stream that shows signs of life, and by nothing less', async () => {
    await start()
    fleet.time = Date.now() + 599_000
    fleet.registry.beat()
    await expectSoon(() => (live.revocation.status().ageMs ?? Infinity) < 599_000)
    fleet.time += 599_999
    expect(live.revocation.isClosed()).toBe(false)
    fleet.time += 1
    expect(live.revocation.isClosed()).toBe(true)
  })
})
