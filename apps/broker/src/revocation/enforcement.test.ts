import { randomBytes } from 'node:crypto'
import type { KeyAndCertificate } from '@fleetroot/tls-config'
import { beforeEach, describe, expect, test } from 'vitest'
import { followedBench } from '../testing/followed-bench.ts'
import { expectSoon } from '../testing/followed-broker.ts'
import { TicketKeys } from '../listener/ticket-keys.ts'
import type { OpenOptions, Transport } from '../testing/live-broker.ts'
import { refOf } from '../testing/registry-server.ts'

const bench = followedBench()

/** Whether a CONNECT with this certificate is answered with yes. */
async function isAdmitted(identity: KeyAndCertificate, id: string, how: OpenOptions = {}): Promise<boolean> {
  try {
    const client = await bench.live.open(identity, how)
    return (await client.connect({ clientId: id })).returnCode === 0
  } catch {
    return false
  }
}
const refusals = (): Record<string, number> => Object.fromEntries(bench.live.broker.counts.refused)

describe.each<Transport>(['mqtts', 'wss'])('over %s', (transport) => {
  // Nobody is cut off for being slow.
  beforeEach(() => bench.start({ limits: { drainTimeoutMs: 600_000 } }))

  test('a device that is revoked while it is connected is cut off, and nobody else is', async () => {
    const identity = await bench.live.issue('device', 'pump')
    const pump = await bench.live.join('device', 'pump', { identity, transport })
    const lamp = await bench.live.join('device', 'lamp', { transport })
    await bench.fleet.registry.change('revoked', refOf(identity))
    await pump.closed
    await lamp.ping()
    expect(bench.live.broker.counts.ended).toEqual(new Map([['certificate-revoked', 1]]))
    expect(await isAdmitted(identity, 'pump', { transport })).toBe(false)
    expect(refusals()).toEqual({ 'certificate-revoked': 1 })
  })

  test('every session of a revoked certificate is cut off', async () => {
    const identity = await bench.live.issue('service', 'backend')
    const clients = await Promise.all(
      ['backend', 'backend.1', 'backend.2'].map(async (clientId) => {
        const client = await bench.live.open(identity, { transport })
        expect((await client.connect({ clientId })).returnCode).toBe(0)
        return client
      }),
    )
    await bench.fleet.registry.change('revoked', refOf(identity, 'services'))
    await Promise.all(clients.map(({ closed }) => closed))
    expect(bench.live.broker.counts.ended.get('certificate-revoked')).toBe(3)
  })

  test('a suspended device is cut off and kept out until it is resumed', async () => {
    const identity = await bench.live.issue('device', 'pump')
    const pump = await bench.live.join('device', 'pump', { identity, transport })
    await bench.fleet.registry.change('suspended', refOf(identity))
    await pump.closed
    expect(await isAdmitted(identity, 'pump', { transport })).toBe(false)
    expect(refusals()).toEqual({ 'certificate-suspended': 1 })
    await bench.fleet.registry.change('resumed', refOf(identity))
    await expectSoon(() => bench.live.revocation.set.changed === 0)
    expect(await isAdmitted(identity, 'pump', { transport })).toBe(true)
  })

  test('a device that does not read is cut off as fast as another', async () => {
    const identity = await bench.live.issue('device', 'pump')
    const pump = await bench.live.join('device', 'pump', { identity, transport })
    await pump.subscribe('devices/pump/commands/#')
    const service = await bench.live.join('service', 'backend')
    pump.stream.pause()
    // More than the kernel takes on both sides, less than what makes a reader too slow.
    for (let i = 0; i < 60; i++) {
      service.send({
        cmd: 'publish',
        topic: 'devices/pump/commands/1',
        payload: randomBytes(100_000),
        qos: 0,
        retain: false,
        dup: false,
      })
    }
    await expectSoon(() => bench.live.broker.counts.delivered >= 30)
    const open = bench.live.broker.counts.open
    await bench.fleet.registry.change('revoked', refOf(identity))
    await expectSoon(() => bench.live.broker.counts.open < open)
    expect(bench.live.broker.counts.ended).toEqual(new Map([['certificate-revoked', 1]]))
  })

  test('the will of a revoked device is not published', async () => {
    const service = await bench.live.join('service', 'backend')
    await service.subscribe('devices/#')
    const identity = await bench.live.issue('device', 'pump')
    const pump = await bench.live.open(identity, { transport })
    const will = { topic: 'devices/pump/state', payload: Buffer.from('gone'), qos: 1, retain: true } as const
    await pump.connect({ clientId: 'pump', will })
    await bench.fleet.registry.change('revoked', refOf(identity))
    await pump.closed
    await (await bench.live.join('device', 'lamp')).publish('devices/lamp/state')
    await service.message('devices/lamp/state')
    const late = await bench.live.join('service', 'late')
    await late.subscribe('devices/pump/#')
    await late.ping()
    expect([service.topics, late.topics]).toEqual([['devices/lamp/state'], []])
  })

  test('a connection that has not sent its CONNECT is cut off, too', async () => {
    const identity = await bench.live.issue('device', 'pump')
    const pump = await bench.live.open(identity, { transport })
    await expectSoon(() => bench.live.broker.counts.open === 1)
    await bench.fleet.registry.change('revoked', refOf(identity))
    await pump.closed
    expect(bench.live.broker.counts.admitted).toBe(0)
  })
})

describe('a device that is revoked while it is offline, and resumes its TLS session', () => {
  /** A ticket of a connection that worked, and has ended. */
  async function ticket(maxVersion: 'TLSv1.2' | 'TLSv1.3', transport: Transport = 'mqtts') {
    const identity = await bench.live.issue('device', 'pump')
    const session = Promise.withResolvers<Buffer>()
    const client = await bench.live.join('device', 'pump', {
      identity,
      maxVersion,
      transport,
      onSocket: (socket) => socket.once('session', session.resolve),
    })
    const resume = { session: await session.promise, maxVersion, transport }
    await client.leave()
    return { identity, resume }
  }
  const resumed = (): number =>
    [...bench.live.broker.counts.tls].reduce(
      (sum, [key, value]) => sum + (key.endsWith(' resumed') ? value : 0),
      0,
    )

  test.each([
    ['TLSv1.2', 'mqtts'],
    ['TLSv1.3', 'mqtts'],
    ['TLSv1.2', 'wss'],
    ['TLSv1.3', 'wss'],
  ] as const)('is refused although its ticket is still good: %s, %s', async (maxVersion, transport) => {
    // Fixed keys, as processes that share a port have: OpenSSL resumes the session and verifies nothing.
    await bench.start({ ticketKeys: new TicketKeys() })
    const { identity, resume } = await ticket(maxVersion, transport)
    expect(await isAdmitted(identity, 'pump', resume)).toBe(true)
    expect(resumed()).toBe(1)
    const id = await bench.fleet.registry.change('revoked', refOf(identity))
    await expectSoon(() => bench.live.follower.counts().lastEventId === id)
    let wasReused: boolean | undefined
    const answer = isAdmitted(identity, 'pump', {
      ...resume,
      onSocket: (socket) => socket.once('secureConnect', () => (wasReused = socket.isSessionReused())),
    })
    expect([await answer, wasReused]).toEqual([false, true])
    expect(refusals()).toEqual({ 'certificate-revoked': 1 })
  })

  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'finds its ticket void, as everybody does who has one from before: %s',
    async (maxVersion) => {
      await bench.start()
      const { identity, resume } = await ticket(maxVersion)
      expect(await isAdmitted(identity, 'pump', resume)).toBe(true)
      expect(resumed()).toBe(1)
      const id = await bench.fleet.registry.change('revoked', refOf(await bench.live.issue('device', 'lamp')))
      await expectSoon(() => bench.live.follower.counts().lastEventId === id)
      expect(await isAdmitted(identity, 'pump', resume)).toBe(true)
      expect(resumed()).toBe(1)
    },
  )
})
