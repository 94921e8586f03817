import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connectMqtt, createEstClient, enrollDevice, openIdentityStore } from '@fleetroot/device-client'
import { startProcess, startSystem, type System, temporaryFolder } from '@fleetroot/harness'
import { afterAll, beforeAll, expect, test } from 'vitest'

// examples/gateway-ts as it stands there, beside a backend that listens and commands.

const main = join(import.meta.dirname, '../../../examples/gateway-ts/main.ts')
const folder = temporaryFolder()
let system: System
beforeAll(async () => {
  system = await startSystem({ server: ['--device-lifetime=15s'] })
})
afterAll(async () => {
  await system[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

async function connectBackend() {
  const trust = [readFileSync(join(system.data, 'public/root.crt'), 'utf8')]
  const est = createEstClient({ url: system.serverUrl, trust })
  const { identity } = await enrollDevice({
    id: 'backend',
    est,
    store: openIdentityStore(join(folder.path, 'backend')),
    credential: { token: await system.admin.token('backend', { profile: 'service' }) },
  })
  est.close()
  return connectMqtt({ url: system.orders('backend', { transport: 'mqtts' }).mqttUrl ?? '', trust, identity })
}

test('the gateway enrolls, publishes, answers a command, renews while it is connected, and stops in good order', async () => {
  const tokenFile = join(folder.path, 'token')
  writeFileSync(tokenFile, await system.admin.token('gw-1'))
  const { estUrl, mqttUrl = '', trustFile } = system.orders('gw-1', { transport: 'mqtts' })
  const gateway = system.keep(
    startProcess('gateway', [main], {
      ID: 'gw-1',
      ROOT: trustFile,
      STORE: join(folder.path, 'gw-1'),
      TOKEN_FILE: tokenFile,
      EST: new URL(estUrl).host,
      BROKER: new URL(mqttUrl).host,
      INTERVAL: '1',
    }),
  )
  await gateway.waitFor(/^enrolled gw-1 .*\npublished devices\/gw-1\/telemetry\/uptime$/m)

  const backend = await connectBackend()
  const answered = new Promise<string>((resolve) => {
    backend.onMessage(({ payload }) => resolve(payload.toString()))
  })
  await backend.subscribe('devices/gw-1/commands/read/result', { qos: 1 })
  await backend.publish('devices/gw-1/commands/read', '{"id":"order-1"}')
  expect(JSON.parse(await answered)).toMatchObject({
    id: 'order-1',
    ok: true,
    result: { uptime: expect.any(Number) },
  })
  await backend.close()

  await gateway.waitFor(/^renewed gw-1 /m)
  await gateway.waitFor(/^published /m, gateway.output().length)
  expect(await gateway.stop()).toEqual({ status: 0, signal: null })
  expect(gateway.output()).not.toMatch(/^(not|offline|ask) /m)
})
