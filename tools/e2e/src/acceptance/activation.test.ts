import { expectPublishing, startSystem, type System } from '@fleetroot/harness'
import { expect, test } from 'vitest'

async function stateOf(system: System, id: string): Promise<string> {
  return ((await system.admin.call('GET', `/v1/devices/${id}`)).body as { state: string }).state
}

/** The certificates that a connection of this device has superseded. */
async function superseded(system: System, id: string): Promise<string[]> {
  const { body } = await system.admin.call('GET', '/v1/audit?limit=1000')
  const { items } = body as {
    items: { record: { type: string; deviceId?: string; superseded?: string[] } }[]
  }
  return items.flatMap(({ record }) =>
    record.type === 'activated' && record.deviceId === id ? (record.superseded ?? []) : [],
  )
}

const patience = { timeout: 60_000, interval: 200 }

test('a device is active once the broker has let it in; its next certificate supersedes the first when it connects', async () => {
  await using system = await startSystem({ server: ['--device-lifetime=20s'] })
  const device = await system.device('pump-1', { renew: 'always' })
  await expectPublishing(device)
  await expect.poll(() => stateOf(system, 'pump-1'), patience).toBe('active')
  await expect
    .poll(async () => (await superseded(system, 'pump-1')).length, patience)
    .toBeGreaterThanOrEqual(1)
  await expectPublishing(device)
})

test('what a broker could not tell before it was killed, it tells at the next connection', async () => {
  await using system = await startSystem()
  system.upstream.set('cut')
  const device = await system.device('pump-2')
  await expectPublishing(device)
  expect(await stateOf(system, 'pump-2')).toBe('enrolled')
  // The broker dies with what it had to tell.
  await system.broker.stop('SIGKILL')
  system.upstream.set('up')
  await system.restartBroker()
  await expectPublishing(device)
  await expect.poll(() => stateOf(system, 'pump-2'), patience).toBe('active')
})
