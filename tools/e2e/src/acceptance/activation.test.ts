import { expectPublishing, startSystem, type System } from '@fleetroot/harness'
import { expect, test } from 'vitest'

async function stateOf(system: System, id: string): Promise<string> {
  return ((await system.admin.call('GET', `/v1/devices/${id}`)).body as { state: string }).state
}

async function statuses(system: System, id: string): Promise<string[]> {
  const { body } = await system.admin.call('GET', `/v1/certificates?deviceId=${id}`)
  return (body as { items: { status: string }[] }).items.map(({ status }) => status)
}

const eventually = (read: () => Promise<unknown>) => expect.poll(read, { timeout: 60_000, interval: 200 })

test('a device is active once the broker has let it in; its next certificate supersedes the first when it connects', async () => {
  await using system = await startSystem({ server: ['--device-lifetime=20s'] })
  const device = await system.device('pump-1', { renew: 'always' })
  await expectPublishing(device)
  await eventually(() => stateOf(system, 'pump-1')).toBe('active')
  await eventually(async () => (await statuses(system, 'pump-1'))[0]).toBe('superseded')
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
  await eventually(() => stateOf(system, 'pump-2')).toBe('active')
})
