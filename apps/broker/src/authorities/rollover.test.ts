import { openTrustAnchors } from '@fleetroot/device-client'
import { temporaryFolder } from '@fleetroot/harness'
import { parseCertificate } from '@fleetroot/pki'
import { createLogger, createOperations, openDataDirectory } from '@fleetroot/service'
import { clientTlsOptions, type KeyAndCertificate } from '@fleetroot/tls-config'
import { once } from 'node:events'
import { connect } from 'node:tls'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startDeadline } from '../enrollment/deadline.ts'
import { exposeAuthorities } from '../metrics/authorities.ts'
import {
  expectSoon,
  type FollowedBroker,
  type FollowedFleet,
  type FollowedOptions,
  startFollowedFleet,
} from '../testing/followed-broker.ts'
import type { OpenOptions, Transport } from '../testing/live-broker.ts'
import type { TestCa } from '../testing/ca-bundle.ts'
import { refOf } from '../testing/registry-server.ts'
import { nextDevicesCa, succeedRoot } from '../testing/succession.ts'
import { followAuthorities, type FollowedAuthorities } from './followed.ts'

let folder: ReturnType<typeof temporaryFolder>
let fleet: FollowedFleet
let live: FollowedBroker
let next: TestCa

async function start(how: FollowedOptions = {}): Promise<void> {
  live = await fleet.startBroker(how)
  await expectSoon(() => live.follower.counts().isConnected && live.follower.counts().polls >= 2)
}

beforeEach(async () => {
  folder = temporaryFolder()
  fleet = await startFollowedFleet(folder.path)
  next = await nextDevicesCa(fleet.authority)
})
afterEach(async () => {
  await fleet.close()
  folder[Symbol.dispose]()
})

async function isAdmitted(identity: KeyAndCertificate, id: string, how: OpenOptions = {}): Promise<boolean> {
  try {
    const client = await live.open(identity, how)
    return (await client.connect({ clientId: id })).returnCode === 0
  } catch {
    return false
  }
}
const ids = (): string[] => live.authorities.current.issuing.map(({ id }) => id)
const byNext = (id: string): Promise<KeyAndCertificate> => live.issue('device', id, { issuer: next.issuer })
const knows = (id: string): Promise<void> =>
  expectSoon(() => ids().includes(id) && live.revocation.set.isComplete)

/** Introduces the next CA beside those that there are, and waits until the broker knows what it has revoked. */
async function introduce(): Promise<void> {
  await fleet.registry.announceCas([...fleet.registry.cas, next])
  await knows('devices-2')
}

/** The next CA issues, and the first one is gone. */
async function retireFirst(): Promise<void> {
  const [services] = fleet.registry.cas.filter(({ kind }) => kind === 'services')
  await fleet.registry.announceCas([{ ...next, state: 'issuing' }, services!])
  await expectSoon(() => !ids().includes('devices'))
}

describe.each<Transport>(['mqtts', 'wss'])('over %s', (transport) => {
  beforeEach(() => start())

  test('devices of a CA that is introduced get in, and no session of the one before is touched', async () => {
    const old = await live.join('device', 'old', { transport })
    expect(await isAdmitted(await byNext('early'), 'early', { transport })).toBe(false)
    await introduce()
    const pump = await live.join('device', 'pump', { transport, identity: await byNext('pump') })
    await pump.ping()
    await old.ping()
    expect(live.broker.counts.ended).toEqual(new Map())
  })

  test('the sessions of a CA that is retired end, and those of no other; its devices stay out', async () => {
    const identity = await live.issue('device', 'old')
    const old = await live.join('device', 'old', { transport, identity })
    const service = await live.join('service', 'counter', { transport })
    await introduce()
    const pump = await live.join('device', 'pump', { transport, identity: await byNext('pump') })
    await retireFirst()
    await old.closed
    await pump.ping()
    await service.ping()
    expect(live.broker.counts.ended).toEqual(new Map([['issuer-retired', 1]]))
    expect(await isAdmitted(identity, 'old', { transport })).toBe(false)
    expect(live.broker.counts.refused.get('unknown-authority')).toBe(1)
  })
})

describe('a CA that is retired', () => {
  test('is not let in again by a TLS session that began before', async () => {
    await start()
    const identity = await live.issue('device', 'old')
    const tls = clientTlsOptions({ trust: fleet.authority.trust.slice(0, 1), identity, mode: 'compatible' })
    const socket = connect({ ...tls, host: '127.0.0.1', port: live.broker.ports.mqtts })
    const [session] = (await once(socket, 'session')) as [Buffer]
    await introduce()
    await retireFirst()
    expect(await isAdmitted(identity, 'old', { session })).toBe(false)
    socket.destroy()
  })

  test('is forgotten on the disk, its list as well, and the next one is there', async () => {
    await start()
    await introduce()
    await retireFirst()
    await expectSoon(() => live.revocation.set.isComplete)
    await live.close()
    const restarted = await startAgain({ withServer: false })
    expect(restarted.current.issuing.map(({ id }) => id)).toEqual(['devices-2', 'services'])
    live = await fleet.startBroker({ isHasty: true, authorities: restarted.current })
    expect([...live.revocation.status().entries.keys()]).toHaveLength(2)
    // From the copies alone.
    expect(live.revocation.set.isComplete).toBe(true)
  })
})

describe('an event', () => {
  test('of a CA that is not known yet is answered by asking which CAs there are, and nobody of it passes before', async () => {
    await start()
    await fleet.registry.setCas([...fleet.registry.cas, next])
    const pump = await byNext('pump')
    expect(await isAdmitted(pump, 'pump')).toBe(false)
    fleet.registry.brokenBundle = 503
    await fleet.registry.change('revoked', refOf(pump, 'devices-2'))
    const asked = fleet.registry.bundles
    await expectSoon(() => fleet.registry.bundles > asked)
    expect(await isAdmitted(pump, 'pump')).toBe(false)
    fleet.registry.brokenBundle = undefined
    await knows('devices-2')
    expect(live.broker.counts.ended).toEqual(new Map())
    expect(await isAdmitted(pump, 'pump')).toBe(false)
    expect(live.broker.counts.refused.get('certificate-revoked')).toBe(1)
    expect(await isAdmitted(await byNext('lamp'), 'lamp')).toBe(true)
  })

  test('that other CAs are trusted leaves nothing confirmed until they are known', async () => {
    await start({ stale: { afterMs: 60_000 } })
    const { registry } = fleet
    registry.brokenBundle = 'nonsense'
    await registry.change('authorities')
    await expectSoon(() => fleet.log.some((line) => line.includes('revocation authorities: no contact')))
    fleet.time = Date.now() + 61_000
    registry.beat()
    const { polls } = live.follower.counts()
    await expectSoon(() => live.follower.counts().polls > polls + 1)
    expect(live.revocation.isClosed()).toBe(true)
    registry.brokenBundle = undefined
    await expectSoon(() => !live.revocation.isClosed())
  })
})

test('the metrics say which CAs are trusted now', async () => {
  await start()
  await introduce()
  const { register } = createOperations({ port: 0 })
  exposeAuthorities(register, live.authorities)
  const shown = await register.metrics()
  expect(shown).toContain('fleetroot_broker_authorities{id="devices",state="issuing"} 1')
  expect(shown).toContain('fleetroot_broker_authorities{id="devices-2",state="introduced"} 1')
  expect(shown).toContain('fleetroot_broker_roots 1')
  await retireFirst()
  expect(await register.metrics()).not.toContain('id="devices",')
})

describe('what the server says of its CAs', () => {
  test('is asked again when the stream was broken', async () => {
    await start()
    await fleet.registry.setCas([...fleet.registry.cas, next])
    fleet.registry.cut()
    await knows('devices-2')
    expect(await isAdmitted(await byNext('pump'), 'pump')).toBe(true)
  })

  test('counts for nothing where another trust domain is in it', async () => {
    await start()
    const bundle = { ...fleet.registry.bundle(), trustDomain: 'other.test' }
    fleet.registry.brokenBundle = JSON.stringify(bundle)
    await expect(live.authorities.refresh()).rejects.toMatchObject({
      code: 'enrollment-answer-invalid',
      message: 'the CA bundle is of the trust domain other.test, and this broker serves fleet.test',
    })
    expect(ids()).toEqual(['devices', 'services'])
  })
})

describe('a root that is replaced', () => {
  test('is followed over the certificate that the old one gave the new one, and no session notices', async () => {
    await start()
    const old = await live.join('device', 'old')
    const succession = await succeedRoot(fleet.authority, fleet.registry)
    await succession.introduce()
    await expectSoon(() => live.authorities.current.roots.length === 2)
    const [devices] = fleet.registry.cas
    const pump = await live.join('device', 'pump', {
      identity: await live.issue('device', 'pump', { issuer: devices!.issuer }),
    })
    await succession.complete()
    await expectSoon(() => live.authorities.current.roots.length === 1)
    expect(live.authorities.trust).toEqual([succession.root.certificate.pem])
    await old.ping()
    await pump.ping()
    expect(live.broker.counts.ended).toEqual(new Map())
  })

  test('without that certificate is refused, and everything stays as it was', async () => {
    await start()
    const succession = await succeedRoot(fleet.authority, fleet.registry, { proven: false })
    await succession.introduce()
    await expectSoon(() => fleet.log.some((line) => line.includes('for which no trusted root vouches')))
    expect(live.authorities.trust).toEqual([fleet.authority.root.pem])
    expect(live.authorities.current.roots).toHaveLength(1)
  })
})

describe('a broker that starts', () => {
  test('takes the copy when the server is away, the roots that it had learned included', async () => {
    await start()
    const succession = await succeedRoot(fleet.authority, fleet.registry)
    await succession.introduce()
    await expectSoon(() => live.authorities.current.roots.length === 2)
    const restarted = await startAgain({ withServer: false })
    expect(restarted.current.roots.map(({ pem }) => pem)).toEqual([
      succession.root.certificate.pem,
      fleet.authority.root.pem,
    ])
  })

  test('asks the server when the copy is from below a root that it no longer holds', async () => {
    await start()
    await live.authorities.refresh()
    const succession = await succeedRoot(fleet.authority, fleet.registry)
    await live.close()
    // Killed after the anchors were written, and before the copy was.
    const anchors = await openAnchors()
    await succession.introduce()
    const { roots, cross, issuers } = fleet.registry.bundle()
    const all = [...roots, ...cross, ...issuers.devices, ...issuers.services]
    await anchors.learn(all.map((pem) => parseCertificate(pem)))
    await anchors.learn([succession.root.certificate])
    await expect(startAgain({ withServer: false })).rejects.toMatchObject({ code: 'enrollment-unreachable' })
  })
})

async function openAnchors() {
  const data = await openDataDirectory(folder.path)
  return openTrustAnchors({ file: data.file('broker/anchors.pem'), pin: [fleet.authority.root.pem] })
}

/** What a new process makes of what is on the disk. */
async function startAgain({ withServer }: { withServer: boolean }): Promise<FollowedAuthorities> {
  if (!withServer) await fleet.registry.down()
  const log = createLogger({ name: 'broker', level: 'silent' })
  const data = await openDataDirectory(folder.path)
  const anchors = await openAnchors()
  const deadline = startDeadline(300, new AbortController().signal, () => undefined)
  return followAuthorities({ url: fleet.registry.url, anchors, mode: 'compatible', data, log, deadline })
}
