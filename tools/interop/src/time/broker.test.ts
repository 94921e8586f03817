import { join } from 'node:path'
import { expectPublishing, expectShutOut, startSystem, temporaryFolder } from '@fleetroot/harness'
import { afterAll, expect, test } from 'vitest'
import { judgedBy } from '../judged-by.ts'
import { clockAt, settableClock } from './clock.ts'

judgedBy(['faketime'], 'a broker whose clock', () => {
  const folder = temporaryFolder()
  afterAll(() => folder[Symbol.dispose]())

  test.each(['-4m', '+1h'])('differs from that of the server by %s works', async (time) => {
    await using system = await startSystem({ brokerEnv: clockAt(time) })
    const device = await system.device('device')
    await expectPublishing(device)
    await system.change('/v1/devices/device/revoke')
    await device.waitFor(/^offline/m)
    await expectShutOut(device)
  })

  test('is ten minutes behind takes no revocation list, says so, and lets nobody in', async () => {
    await using system = await startSystem({ brokerEnv: clockAt('-10m') })
    await system.broker.waitFor(/list-from-the-future.*compare the clocks/)
    expect(await system.operations('/readyz')).toContain('nothing is known about revoked certificates yet')
    const device = await system.device('device')
    await device.waitFor(/^(offline|failed)/m)
    expect(device.output()).not.toMatch(/^online/m)
    await system.broker.waitFor(/"reason":"revocation-stale"/)
  })

  test('is set ahead beyond the end of a certificate ends its session and lets it in again when it is right', async () => {
    const clock = settableClock(join(folder.path, 'ahead'))
    await using system = await startSystem({ brokerEnv: clock.env })
    const device = await system.device('device')
    await expectPublishing(device)
    clock.set('+31d')
    await device.waitFor(/^offline connection-lost/m)
    await expectShutOut(device)
    await system.broker.waitFor(/"reason":"certificate-expired"/)
    clock.set('+0')
    await expectPublishing(device)
  })

  test('is set back hours does not take old knowledge for recent: cut off, it closes as soon as ever', async () => {
    const clock = settableClock(join(folder.path, 'back'))
    await using system = await startSystem({ broker: ['--revocation-stale-after=15s'], brokerEnv: clock.env })
    const device = await system.device('device')
    await expectPublishing(device)
    system.upstream.set('cut')
    clock.set('-12h')
    // By the clock it would be twelve hours.
    await system.broker.waitFor(/revocation data is stale: nobody passes/)
    await expectShutOut(device)
    system.upstream.set('up')
    clock.set('+0')
    await expectPublishing(device)
  })

  test('was ahead when it wrote down what it knew does not take that for recent when it starts again', async () => {
    await using system = await startSystem({ brokerEnv: clockAt('+2h') })
    const device = await system.device('device')
    await expectPublishing(device)
    await system.broker.stop()
    system.upstream.set('cut')
    await system.restartBroker({ env: clockAt('+0') })
    await system.broker.waitFor(/"reason":"revocation-stale"/)
    await expectShutOut(device)
    system.upstream.set('up')
    await expectPublishing(device)
  })
})
