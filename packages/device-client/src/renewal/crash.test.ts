import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { openIdentityStore } from '../identity/store.ts'
import { createAuthority } from '../testing/authority.ts'
import { type ChildEnd, runChild } from '../testing/child.ts'
import { type EstResponder, startEstResponder } from '../testing/est-responder.ts'
import { type MqttPeer, startMqttPeer } from '../testing/mqtt-peer.ts'
import { type DeviceOrders, liveUntilRenewed } from '../testing/renew-device.ts'

const day = 86_400_000
let directory: string
let server: EstResponder
let peer: MqttPeer

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'device-client-renewal-'))
  const authority = await createAuthority()
  server = await startEstResponder(authority)
  peer = await startMqttPeer(authority)
})

afterAll(async () => {
  await peer.close()
  await server.close()
  await rm(directory, { recursive: true })
})

/** A device with a certificate of which five sixths of its life are over. */
async function dueDevice(id: string, key: 'new' | 'same'): Promise<{ orders: DeviceOrders; serial: string }> {
  const { authority } = server
  const obtainedAt = new Date(Date.now() - 25 * day)
  const leaf = await authority.device(id, { issuedAt: obtainedAt })
  const orders = {
    estUrl: server.url,
    mqttUrl: peer.url,
    trust: authority.trust,
    directory: join(directory, id),
    id,
    key,
  }
  const chain = [authority.devices.certificate]
  await openIdentityStore(orders.directory).save({ ...leaf, chain, obtainedAt })
  return { orders, serial: leaf.certificate.serial }
}

/** Serial numbers of all certificates that devices called `id` connected to the broker with. */
const seen = () => new Set(peer.handshakes.map(({ serial }) => BigInt(`0x${serial}`)))

async function crashAndRestart(step: number, key: 'new' | 'same'): Promise<ChildEnd> {
  const { orders, serial } = await dueDevice(`dev-${key}-${step}`, key)
  const store = openIdentityStore(orders.directory)
  const end = await runChild('renew-child.ts', [JSON.stringify(orders)], step)
  // Killed at whatever step, the device has an identity, and the broker takes it.
  const left = await store.load()
  expect(left?.id, `after step ${step}`).toBe(orders.id)

  const identity = await liveUntilRenewed(orders)
  expect(await store.load()).toEqual(identity)
  expect(identity.certificate.serial, `not renewed after step ${step}`).not.toBe(serial)
  expect(seen()).toContain(BigInt(`0x${identity.certificate.serial}`))
  expect(identity.key === left?.key || key === 'new').toBe(true)
  expect(await readdir(orders.directory), `left behind after step ${step}`).toEqual(['identity.pem'])
  return end
}

// With the same key the steps are those with a new one without its request: every fourth of them is enough.
describe.each([
  ['new', 1],
  ['same', 4],
] as const)('a renewal with the %s key that is killed (SIGKILL)', (key, stride) => {
  it('before a step on disk or network leaves an identity that works, and the next run ends renewed and tidy', async () => {
    const atOnce = 3
    let killed = 0
    for (let step = 1; ; step += atOnce * stride) {
      const steps = Array.from({ length: atOnce }, (_, at) => step + at * stride)
      const ends = await Promise.all(steps.map(async (at) => crashAndRestart(at, key)))
      killed += ends.filter(({ signal }) => signal === 'SIGKILL').length
      const [finished] = ends.filter(({ signal }) => signal !== 'SIGKILL')
      if (finished) {
        // It ended by itself: every step was tried.
        expect(finished).toMatchObject({ code: 0, stderr: '' })
        break
      }
    }
    // Two connections to the broker, one to the server, and staging and promoting: fewer would test nothing.
    expect(killed * stride).toBeGreaterThan(40)
  }, 300_000)
})
