import { enrollAll, expectPublishing, startCrowd, startSystem, type System } from '@fleetroot/harness'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

// A tenth of the fleet of `bench:storm`, and a tenth of the default limits.
const devices = 500
const sites = 25
const limits = [
  '--accept-rate=100',
  '--accept-burst=400',
  '--accept-rate-per-address=20',
  '--accept-burst-per-address=100',
  '--max-handshakes=200',
  '--max-handshakes-per-address=50',
]

let system: System
beforeAll(async () => {
  system = await startSystem({ broker: limits })
})
afterAll(() => system[Symbol.asyncDispose]())

async function metric(name: string): Promise<number> {
  const text = await system.operations('/metrics')
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1])
}

test('a fleet that loses its connections at one moment comes back as a whole, and who stays connected does not notice', async () => {
  const bystander = await system.device('bystander')
  await bystander.waitFor(/^acknowledged/m)
  const ids = Array.from({ length: devices }, (_, i) => `storm-${i}`)
  const identities = [...(await enrollAll(system.admin, ids))]
  const crowd = startCrowd(
    {
      host: '127.0.0.1',
      port: system.ports.mqtts,
      ca: readFileSync(join(system.data, 'public/root.crt'), 'utf8'),
      members: identities.map(([id, { key, cert }], i) => ({
        id,
        key,
        cert,
        localAddress: `127.0.1.${1 + (i % sites)}`,
      })),
    },
    2,
  )
  try {
    await crowd.gather(4)
    const returns = await crowd.storm()
    expect(returns).toHaveLength(devices)
    expect(await metric('fleetroot_broker_connections')).toBe(devices + 1)
    // Everybody who was refused was refused for the load, and before TLS or while it was under way.
    const text = await system.operations('/metrics')
    const reasons = [...text.matchAll(/^fleetroot_broker_refused_total\{reason="([^"]+)"\}/gm)].map(
      ([, r]) => r,
    )
    const load = ['accept-rate-total', 'accept-rate-address', 'handshakes-total', 'handshakes-address']
    for (const reason of reasons)
      expect([...load, 'handshake-timeout', 'connection-closed']).toContain(reason)
    // No slot is lost on the way.
    await expect.poll(() => metric('fleetroot_broker_handshakes'), { timeout: 60_000 }).toBe(0)
    await expectPublishing(bystander)
    expect(bystander.output()).not.toContain('offline')
  } finally {
    await crowd.leave()
  }
}, 180_000)
