import { newSerial, parseCertificates } from '@fleetroot/pki'
import { temporaryFolder } from '@fleetroot/harness'
import type { KeyAndCertificate } from '@fleetroot/tls-config'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { issueFor, makeAuthority } from '../testing/authority.ts'
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

/** Starts a broker that has read the lists and whose stream is open. */
async function start(how: FollowedOptions = {}): Promise<void> {
  live = await fleet.startBroker(how)
  await expectSoon(() => live.follower.counts().isConnected && live.follower.counts().polls >= 2)
}

beforeEach(async () => {
  folder = temporaryFolder()
  fleet = await startFollowedFleet(folder.path)
  pump = await issueFor(fleet.authority, { profile: 'device', id: 'pump' })
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
const logged = (text: string): number => fleet.log.filter((line) => line.includes(text)).length

describe('a revocation list', () => {
  /** Makes the broker look at the lists and waits until it has refused one for this reason. */
  async function expectRefused(code: string): Promise<void> {
    fleet.registry.cut()
    await expectSoon(() => logged(`(${code})`) > 0)
  }

  test('that another CA signed under the same name is not used', async () => {
    await start()
    const other = await makeAuthority()
    const forged = await fleet.registry.makeList('devices', 99n, new Date(), other.devices)
    fleet.registry.brokenList = (name) => (name === 'devices' ? forged : undefined)
    await expectRefused('list-issuer-unknown')
    expect(standing(pump)).toBe('good')
  })

  test('of which one bit is wrong is not used, and the one in use stays', async () => {
    fleet.registry.record('revoked', refOf(pump))
    await fleet.registry.sign('devices')
    await start()
    const { registry } = fleet
    registry.lists['devices']!.entries.clear()
    const good = await registry.makeList('devices', 99n)
    good[good.length - 10] = good[good.length - 10]! ^ 1
    registry.brokenList = (name) => (name === 'devices' ? good : undefined)
    await expectRefused('list-signature-invalid')
    expect(standing(pump)).toBe('revoked')
  })

  test('with a lower number, which an attacker may have kept, is not used', async () => {
    const old = Buffer.from(fleet.registry.lists['devices']!.der)
    fleet.registry.record('revoked', refOf(pump))
    await fleet.registry.sign('devices')
    await start()
    fleet.registry.brokenList = (name) => (name === 'devices' ? old : undefined)
    await expectRefused('list-older')
    expect(standing(pump)).toBe('revoked')
  })

  test('from a clock that is far ahead is not used', async () => {
    await start()
    const early = await fleet.registry.makeList('devices', 99n, new Date(Date.now() + 3_600_000))
    fleet.registry.brokenList = (name) => (name === 'devices' ? early : undefined)
    await expectRefused('list-from-the-future')
  })

  test('of garbage is not used', async () => {
    await start()
    fleet.registry.brokenList = () => Buffer.from('<html>')
    await expectRefused('list-malformed')
  })

  test('of 100,000 certificates is used, and no session waits for it', async () => {
    const { entries } = fleet.registry.lists['devices']!
    for (let i = 0; i < 100_000; i++) {
      const serial = newSerial()
      entries.set(serial, { serial, revokedAt: new Date(), reason: 'keyCompromise' })
    }
    await fleet.registry.sign('devices')
    await start()
    const issuer = fleet.authority.devices.certificate.subjectKeyId ?? ''
    expect(live.revocation.status().entries.get(issuer)).toBe(100_000)
    const [serial] = entries.keys()
    expect(live.revocation.standingOf({ issuerKeyId: issuer, serial: serial! })).toBe('revoked')
    const device = await live.join('device', 'pump', { identity: pump })
    await fleet.registry.change('revoked', refOf(pump))
    await device.closed
  })
})
