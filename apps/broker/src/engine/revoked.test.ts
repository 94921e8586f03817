import { parseSerial } from '@fleetroot/pki'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createLogger } from '@fleetroot/service'
import { type BenchEngine, defaultPolicy, identity, startBenchEngine } from '../testing/bench-engine.ts'
import { memoryConnection } from '../testing/memory-connection.ts'
import { CertificateIndex } from './certificate-index.ts'
import { createGates } from './gates.ts'
import { defaultLimits } from './limits.ts'
import { Session } from './session.ts'

const serial = parseSerial('0a')
const pump = identity('device', 'pump', { serial })
const renewed = identity('device', 'pump', { serial: parseSerial('0b') })
const service = identity('service', 'backend', { serial: parseSerial('0c') })

let bench: BenchEngine

beforeEach(async () => {
  bench = await startBenchEngine({}, { afterMs: 600_000 })
})
afterEach(async () => {
  await bench.engine.close()
})

const publishPacket = (topic: string) =>
  ({ cmd: 'publish', topic, payload: 'x', qos: 0, retain: false, dup: false }) as const
const revoke = (who = pump): void => bench.revocation.applyTo(who, 'revoked', 1)

describe('a certificate that is revoked', () => {
  test('passes nothing more of what its session had sent already', async () => {
    const backend = await bench.connect(service)
    await backend.subscribe('devices/#')
    const device = await bench.connect(pump)
    // The policy is asked for every message: the revocation comes while one of ten is being judged.
    let asked = 0
    let passed = 0
    Object.defineProperty(bench, 'policy', {
      get: () => {
        asked += 1
        if (asked === 4) {
          revoke()
          passed = bench.counts.published
        }
        return defaultPolicy
      },
    })
    for (let i = 0; i < 10; i++) device.send(publishPacket('devices/pump/state'))
    await device.closed
    await (
      await bench.connect(identity('device', 'lamp', { serial: parseSerial('0d') }))
    ).publish('devices/lamp/state')
    await backend.message('devices/lamp/state')
    expect(passed).toBeGreaterThan(0)
    // The one that was being judged, and the one from the other device.
    expect(bench.counts.published).toBeLessThanOrEqual(passed + 2)
    expect(backend.topics.filter((topic) => topic.startsWith('devices/pump/')).length).toBeLessThanOrEqual(
      passed + 1,
    )
  })

  test('does not come in when it was revoked between handshake and engine', async () => {
    revoke()
    const late = bench.open(pump)
    await late.closed
    expect(bench.counts.ended.get('certificate-revoked')).toBe(1)
  })

  test('ends a connection that waits for an older session of the same device to go', async () => {
    const older = await bench.connect(renewed, false)
    const newer = bench.open(pump)
    const answer = newer.connect({ clientId: 'pump', clean: false })
    // Before the older session has been taken apart, which takes several turns.
    await until(() => bench.counts.ended.get('taken-over') === 1)
    revoke()
    await expect(answer).rejects.toThrow('ended')
    await older.closed
    const next = await bench.connect(renewed, false)
    await next.ping()
    expect(bench.counts.open).toBe(1)
  })

  test('passes nothing of a session that something else has ended just before', () => {
    const gates = createGates({
      policy: () => defaultPolicy,
      revocation: bench.revocation,
      counts: bench.counts,
      log: createLogger({ name: 'broker', level: 'silent' }),
      now: () => bench.time,
      mayRetain: () => true,
      ...defaultLimits,
    })
    const session = new Session(
      pump,
      { listener: 'mqtts', address: 'memory' },
      memoryConnection()[0],
      () => undefined,
    )
    const message = () => ({ topic: 'devices/pump/state', payload: 'x', retain: false })
    session.end('taken-over')
    expect([gates.mayPublishWill(pump, message()), session.isBarred]).toEqual([true, false])
    session.bar('certificate-revoked')
    const published = message()
    gates.admitPublish(session, published)
    expect(published.topic).toBe('$denied')
    expect(gates.mayReceive(session, { ...message(), topic: 'fleet/broadcast/1' })).toBe(false)
    expect(gates.maySubscribe(session, 'fleet/broadcast/#')).toBe(false)
    expect(session.endReason).toBe('taken-over')
    revoke()
    expect(gates.mayPublishWill(pump, message())).toBe(false)
  })

  test('of an older generation leaves the session of the renewed one alone, with what waits for it', async () => {
    const device = await bench.connect(pump, false)
    await device.subscribe('devices/pump/commands/#')
    await device.leave('abruptly')
    revoke()
    const backend = await bench.connect(service)
    await backend.publish('devices/pump/commands/1')
    const again = await bench.connect(renewed, false)
    expect((await again.message('devices/pump/commands/1')).qos).toBe(1)
  })
})

describe('when nothing recent is known', () => {
  test('a CONNECT is answered with return code 5', async () => {
    const device = bench.open(pump)
    bench.time += 600_000
    expect((await device.connect({ clientId: 'pump' })).returnCode).toBe(5)
    expect(bench.counts.refused.get('revocation-stale')).toBe(1)
  })

  test('no message passes to the millisecond, and the session ends', async () => {
    const backend = await bench.connect(service)
    await backend.subscribe('devices/#')
    const device = await bench.connect(pump)
    bench.time += 600_000
    device.send(publishPacket('devices/pump/state'))
    await Promise.all([device.closed, backend.closed])
    expect(backend.topics).toEqual([])
    expect(bench.counts.ended).toEqual(new Map([['revocation-stale', 2]]))
  })

  test('a session that does nothing ends as well', async () => {
    const device = await bench.connect(pump)
    bench.time += 600_000
    await device.closed
    expect(bench.counts.ended.get('revocation-stale')).toBe(1)
  })
})

test('the index finds the sessions of a certificate until they are gone', () => {
  const index = new CertificateIndex()
  const make = (who = pump): Session =>
    new Session(who, { listener: 'mqtts', address: 'memory' }, memoryConnection()[0], () => undefined)
  const [one, two, other] = [make(), make(), make(renewed)]
  for (const session of [one, two, two, other]) index.add(session)
  expect([index.of(pump), index.all()]).toEqual([
    [one, two],
    [one, two, other],
  ])
  index.delete(one)
  index.delete(one)
  expect(index.of(pump)).toEqual([two])
  index.delete(two)
  expect([index.of(pump), index.of({ issuerKeyId: 'none', serial }), index.all()]).toEqual([[], [], [other]])
})

/** Checked in every turn, so that the test sees the very turn in which the condition comes true. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}
