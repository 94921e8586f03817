import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectPublishing, expectShutOut, startSystem, type System, transports } from '@fleetroot/harness'

let system: System
beforeAll(async () => {
  system = await startSystem()
})
afterAll(() => system[Symbol.asyncDispose]())

describe.each(transports)('a device that is revoked over %s', (transport) => {
  test('while it is connected is cut off, stays out, and nobody else is', async () => {
    const revoked = await system.device(`connected-${transport}`, { transport })
    const other = await system.device(`other-${transport}`, { transport })
    await Promise.all([expectPublishing(revoked), expectPublishing(other)])

    await system.change(`/v1/devices/${revoked.id}/revoke`, { reason: 'keyCompromise' })
    await revoked.waitFor(/^offline connection-lost/m)
    await expectShutOut(revoked)
    await expectPublishing(other)
    expect(other.output()).not.toContain('offline')
    await revoked.stop('SIGKILL')
  })

  test('while it is offline cannot resume its TLS session, which it could before', async () => {
    const device = await system.device(`offline-${transport}`, { transport })
    await expectPublishing(device)
    const leave = async (): Promise<number> => {
      const from = device.mark()
      device.link.set('cut')
      await device.waitFor(/^offline/m, from)
      return device.mark()
    }
    // That its tickets work is what makes the second half worth anything.
    let from = await leave()
    device.link.set('up')
    await device.waitFor(/^online resumed$/m, from)
    await expectPublishing(device)

    from = await leave()
    const heard = system.broker.output().length
    await system.change(`/v1/devices/${device.id}/revoke`)
    await system.broker.waitFor(new RegExp(`"deviceId":"${device.id}".*revoked: applied`), heard)
    device.link.set('up')
    await system.broker.waitFor(/"reason":"certificate-revoked"/, heard)
    await expectShutOut(device)
    expect(device.output().slice(from)).not.toMatch(/^online/m)
    await device.stop('SIGKILL')
  })

  test('is out while it is suspended, and in again when it is resumed', async () => {
    const device = await system.device(`held-${transport}`, { transport })
    await expectPublishing(device)
    await system.change(`/v1/devices/${device.id}/suspend`)
    await device.waitFor(/^offline connection-lost/m)
    await expectShutOut(device)
    await system.change(`/v1/devices/${device.id}/resume`)
    await expectPublishing(device)
    await device.stop('SIGKILL')
  })
})
