import { expectPublishing, expectShutOut, startDevice, startSystem, type System } from '@fleetroot/harness'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { judgedBy } from '../judged-by.ts'
import { clockAt } from './clock.ts'

judgedBy(['faketime'], 'a device whose clock is wrong', () => {
  let system: System
  beforeAll(async () => {
    system = await startSystem()
  })
  afterAll(() => system[Symbol.asyncDispose]())

  // Certificates are valid from an hour before they are made.
  test.each(['-50m', '+1h', '+7d'])('by %s enrolls, connects and publishes', async (time) => {
    const device = await system.device(`clock${time.replace('+', 'p')}`, { env: clockAt(time) })
    await expectPublishing(device)
  })

  test('by 50 minutes renews: what it gets is valid by its clock too', async () => {
    const device = await system.device('renewing', { env: clockAt('-50m') })
    await expectPublishing(device)
    await device.stop()
    // As long after as it takes until the certificate is due.
    const later = startDevice(system.orders('renewing', { transport: 'wss', renew: 'once' }), clockAt('+21d'))
    expect(await later.exited, later.output()).toEqual({ status: 0, signal: null })
    expect(later.output()).toMatch(/^renewed/m)
  })

  test.each([
    ['-2h', 'is not valid yet'],
    ['@1970-01-02 00:00:00', 'is not valid yet'],
    ['@2040-01-02 00:00:00', 'has expired'],
  ])('%s trusts nobody, and is told to look at its clock', async (time, what) => {
    const id = `lost${time.replaceAll(/[^0-9]/g, '')}`
    const device = await system.device(id, { env: clockAt(time) })
    expect(await device.exited).toEqual({ status: 1, signal: null })
    expect(device.output()).toMatch(new RegExp(`^failed tls-failed .*${what}.*clock`, 'm'))
    // Its token is not used: with the right clock it enrolls.
    const orders = system.orders(id)
    const token = JSON.stringify(
      ((await system.admin.call('POST', `/v1/devices/${id}/tokens`, {})).body as { token: string }).token,
    )
    const right = startDevice({ ...orders, token: JSON.parse(token) as string })
    expect(await right.exited, right.output()).toEqual({ status: 0, signal: null })
  })

  test('cannot stay in beyond its end by setting it back', async () => {
    await using short = await startSystem({ server: ['--device-lifetime=30s'] })
    const device = await short.device('back', { env: clockAt('-30m') })
    await expectPublishing(device)
    await device.waitFor(/^offline connection-lost/m)
    await expectShutOut(device)
    expect(await short.operations('/metrics')).toContain(
      'fleetroot_broker_ended_total{reason="certificate-expired"} 1',
    )
  })
})
