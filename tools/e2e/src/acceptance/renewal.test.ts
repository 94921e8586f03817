import { type DeviceOrders, startDevice, startSystem, type System } from '@fleetroot/harness'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEstClient, type EstClient, enrollDevice, openIdentityStore } from '@fleetroot/device-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

/** Kills a process before its step number CRASH_AT on disk or network. */
const crashAt = join(import.meta.dirname, '../../../../packages/device-client/src/testing/crash-at.ts')
const compiled = mkdtempSync(join(tmpdir(), 'fleetroot-compiled-'))
let system: System
let est: EstClient

beforeAll(async () => {
  system = await startSystem({ server: ['--device-lifetime=25m'] })
  est = createEstClient({
    url: system.serverUrl,
    trust: [readFileSync(join(system.data, 'public/root.crt'), 'utf8')],
  })
})
afterAll(async () => {
  est.close()
  await system[Symbol.asyncDispose]()
  rmSync(compiled, { recursive: true })
})

/** A device with a certificate that counts from its backdated notBefore on, so that it is due. */
async function dueDevice(orders: DeviceOrders): Promise<string> {
  const { id, directory } = orders
  const token = await system.admin.token(id)
  const { identity } = await enrollDevice({
    id,
    est,
    store: openIdentityStore(directory),
    credential: { token },
  })
  const file = join(directory, 'identity.pem')
  const obtained = `Obtained: ${identity.certificate.notBefore.toISOString()}`
  await writeFile(file, (await readFile(file, 'utf8')).replace(/^Obtained: .*$/m, obtained), { mode: 0o600 })
  return identity.certificate.serial
}

/** Runs a device until it is renewed, twice: the first time it is killed before `step`. Says whether it was. */
async function crashAndRestart(orders: DeviceOrders, step: number): Promise<boolean> {
  const serial = await dueDevice(orders)
  const environment = { NODE_COMPILE_CACHE: compiled, CRASH_AT: String(step) }
  const first = await startDevice(orders, environment, ['--import', crashAt]).exited
  const second = startDevice(orders, environment)
  const end = await second.exited
  const said = `after step ${step}:\n${second.output()}`
  // It came up with what was left to it: the old certificate or the new one, and the broker took it.
  expect(end, said).toEqual({ status: 0, signal: null })
  expect(second.output(), said).toMatch(/^enrolled [0-9a-f]+\nonline/m)
  const { certificate } = (await openIdentityStore(orders.directory).load()) ?? {}
  expect(certificate?.serial, said).not.toBe(serial)
  expect(await readdir(orders.directory), said).toEqual(['identity.pem'])
  if (first.signal !== 'SIGKILL') expect(first, said).toEqual({ status: 0, signal: null })
  return first.signal === 'SIGKILL'
}

// Disk and server are the same on both ways: over WebSocket every fourth step is enough.
describe.each([
  ['mqtts', 1],
  ['wss', 4],
] as const)('a renewal with a real server and a real broker over %s', (transport, stride) => {
  test('that is killed before any step on disk or network leaves a working identity, and the next run ends renewed and tidy', async () => {
    const atOnce = 3
    let killed = 0
    for (let step = 1; ; step += atOnce * stride) {
      const steps = Array.from({ length: atOnce }, (_, n) => step + n * stride)
      const ends = await Promise.all(
        steps.map((at) =>
          crashAndRestart(system.orders(`${transport}-${at}`, { transport, renew: 'once' }), at),
        ),
      )
      killed += ends.filter(Boolean).length
      // One ended by itself: every step was tried.
      if (ends.includes(false)) break
    }
    expect(killed * stride).toBeGreaterThan(40)
  }, 600_000)
})
