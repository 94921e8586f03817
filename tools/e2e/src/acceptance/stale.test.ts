import { describe, expect, test } from 'vitest'
import { expectPublishing, expectShutOut, startSystem, type System, transports } from '@fleetroot/harness'

// Fifteen seconds are the least that the broker takes for --revocation-stale-after.
const start = (policy: string) =>
  startSystem({ broker: [`--revocation-stale=${policy}`, '--revocation-stale-after=15s'] })

const isStale = async (system: System): Promise<string> =>
  /^fleetroot_broker_revocation_stale (\d)/m.exec(await system.operations('/metrics'))?.[1] ?? ''

async function fleet(system: System) {
  const devices = await Promise.all(
    transports.map((transport) => system.device(`device-${transport}`, { transport })),
  )
  const revoked = await system.device('revoked')
  await Promise.all([...devices, revoked].map(expectPublishing))
  await system.change('/v1/devices/revoked/revoke')
  await revoked.waitFor(/^offline/m)
  return { devices, revoked }
}

describe('a broker that has heard nothing for too long about revocations', () => {
  test('under fail-closed ends every session and lets nobody in, says that it is not ready, and opens when it hears again', async () => {
    await using system = await start('fail-closed')
    const { devices, revoked } = await fleet(system)
    system.upstream.set('cut')
    await Promise.all(devices.map((device) => device.waitFor(/^offline connection-lost/m)))
    await Promise.all([...devices, revoked].map((device) => expectShutOut(device)))
    expect(await isStale(system)).toBe('1')
    // Sessions are judged at every message; readiness is looked at once a second.
    const readiness = () => system.operations('/readyz')
    await expect
      .poll(readiness, { timeout: 60_000 })
      .toContain('nothing recent is known about revoked certificates')

    system.upstream.set('up')
    await Promise.all(devices.map(expectPublishing))
    await expectShutOut(revoked)
    expect(await isStale(system)).toBe('0')
    await expect.poll(readiness, { timeout: 60_000 }).toBe('{"status":"ready"}')
  })

  test('under fail-open goes by what it knew: devices stay and come in, one that was revoked stays out', async () => {
    await using system = await start('fail-open')
    const { devices, revoked } = await fleet(system)
    system.upstream.set('cut')
    await expect.poll(() => isStale(system), { timeout: 60_000 }).toBe('1')
    await Promise.all(devices.map(expectPublishing))
    for (const device of devices) expect(device.output()).not.toContain('offline')
    for (const device of devices) device.link.set('cut')
    await Promise.all(devices.map((device) => device.waitFor(/^offline/m)))
    for (const device of devices) device.link.set('up')
    await Promise.all(devices.map(expectPublishing))
    await expectShutOut(revoked)
    await system.broker.waitFor(/revocation data is stale: whoever was not revoked then still passes/)

    system.upstream.set('up')
    await expect.poll(() => isStale(system), { timeout: 60_000 }).toBe('0')
  })
})
