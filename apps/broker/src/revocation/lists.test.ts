import { newSerial } from '@fleetroot/pki'
import { describe, expect, test } from 'vitest'
import { makeAuthority } from '../testing/authority.ts'
import { followedBench } from '../testing/followed-bench.ts'
import { expectSoon } from '../testing/followed-broker.ts'
import { refOf } from '../testing/registry-server.ts'

const bench = followedBench()

describe('a revocation list', () => {
  /** Makes the broker look at the lists and waits until it has refused one for this reason. */
  async function expectRefused(code: string): Promise<void> {
    bench.fleet.registry.cut()
    await expectSoon(() => bench.logged(`(${code})`) > 0)
  }

  test('that another CA signed under the same name is not used', async () => {
    await bench.start()
    const other = await makeAuthority()
    const forged = await bench.fleet.registry.makeList('devices', 99n, new Date(), other.devices)
    bench.fleet.registry.brokenList = (name) => (name === 'devices' ? forged : undefined)
    await expectRefused('list-issuer-unknown')
    expect(bench.standing(bench.pump)).toBe('good')
  })

  test('of which one bit is wrong is not used, and the one in use stays', async () => {
    bench.fleet.registry.record('revoked', refOf(bench.pump))
    await bench.fleet.registry.sign('devices')
    await bench.start()
    const { registry } = bench.fleet
    registry.lists['devices']!.entries.clear()
    const good = await registry.makeList('devices', 99n)
    good[good.length - 10] = good[good.length - 10]! ^ 1
    registry.brokenList = (name) => (name === 'devices' ? good : undefined)
    await expectRefused('list-signature-invalid')
    expect(bench.standing(bench.pump)).toBe('revoked')
  })

  test('with a lower number, which an attacker may have kept, is not used', async () => {
    const old = Buffer.from(bench.fleet.registry.lists['devices']!.der)
    bench.fleet.registry.record('revoked', refOf(bench.pump))
    await bench.fleet.registry.sign('devices')
    await bench.start()
    bench.fleet.registry.brokenList = (name) => (name === 'devices' ? old : undefined)
    await expectRefused('list-older')
    expect(bench.standing(bench.pump)).toBe('revoked')
  })

  test('from a clock that is far ahead is not used', async () => {
    await bench.start()
    const early = await bench.fleet.registry.makeList('devices', 99n, new Date(Date.now() + 3_600_000))
    bench.fleet.registry.brokenList = (name) => (name === 'devices' ? early : undefined)
    await expectRefused('list-from-the-future')
  })

  test('of garbage is not used', async () => {
    await bench.start()
    bench.fleet.registry.brokenList = () => Buffer.from('<html>')
    await expectRefused('list-malformed')
  })

  test('of 100,000 certificates is used, and no session waits for it', async () => {
    const { entries } = bench.fleet.registry.lists['devices']!
    for (let i = 0; i < 100_000; i++) {
      const serial = newSerial()
      entries.set(serial, { serial, revokedAt: new Date(), reason: 'keyCompromise' })
    }
    await bench.fleet.registry.sign('devices')
    await bench.start()
    const issuer = bench.fleet.authority.devices.certificate.subjectKeyId ?? ''
    expect(bench.live.revocation.status().entries.get(issuer)).toBe(100_000)
    const [serial] = entries.keys()
    expect(bench.live.revocation.standingOf({ issuerKeyId: issuer, serial: serial! })).toBe('revoked')
    const device = await bench.live.join('device', 'pump', { identity: bench.pump })
    await bench.fleet.registry.change('revoked', refOf(bench.pump))
    await device.closed
  })
})
