import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { followedBench } from '../testing/followed-bench.ts'
import { expectSoon } from '../testing/followed-broker.ts'
import { refOf } from '../testing/registry-server.ts'

const bench = followedBench()

describe('a broker that is started', () => {
  test('for the first time without an enrollment server lets nobody in, under either policy', async () => {
    await bench.fleet.registry.down()
    for (const policy of ['fail-open', 'fail-closed'] as const) {
      bench.live = await bench.fleet.startBroker({ stale: { policy } })
      expect([bench.standing(bench.pump), bench.live.revocation.isClosed()]).toEqual(['unknown', true])
      await expect(bench.live.join('device', 'pump', { identity: bench.pump })).rejects.toThrow('ended')
      expect(bench.live.broker.counts.refused.get('revocation-stale')).toBe(1)
      await bench.live.close()
    }
  })

  test('without an enrollment server knows what it knew, and what the last event said', async () => {
    await bench.start()
    await bench.fleet.registry.change('revoked', refOf(bench.pump))
    // This one is in no list that the broker has seen.
    bench.fleet.registry.record('revoked', refOf(bench.lamp))
    bench.fleet.registry.replay(2)
    await expectSoon(() => bench.counts().lastEventId === 2)
    await bench.live.close()
    await bench.fleet.registry.down()

    bench.live = await bench.fleet.startBroker()
    expect([bench.standing(bench.pump), bench.standing(bench.lamp)]).toEqual(['revoked', 'revoked'])
    await bench.live.join('device', 'other')
    await bench.fleet.registry.up()
    await bench.fleet.registry.nextStream()
    expect(bench.fleet.registry.requests.findLast(({ path }) => path === '/v1/events')?.condition).toBe('2')
  })

  test('keeps what it knows in files that nobody else may read, and makes them whole', async () => {
    await bench.start()
    await bench.live.close()
    const directory = join(bench.path, 'broker/revocation')
    expect(readdirSync(directory).toSorted()).toEqual(['devices.crl', 'services.crl', 'state.json'])
    const modes = readdirSync(directory).map((name) => statSync(join(directory, name)).mode & 0o777)
    expect(modes).toEqual([0o600, 0o600, 0o600])
  })

  test('does not believe a copy whose signature does not verify', async () => {
    await bench.fleet.registry.change('revoked', refOf(bench.pump))
    await bench.start()
    await bench.live.close()
    await bench.fleet.registry.down()
    const path = join(bench.path, 'broker/revocation/devices.crl')
    const der = readFileSync(path)
    der[der.length - 10] = der[der.length - 10]! ^ 1
    writeFileSync(path, der)
    bench.live = await bench.fleet.startBroker()
    expect([bench.standing(bench.lamp), bench.live.revocation.isClosed()]).toEqual(['unknown', true])
    expect(bench.logged('the copy of a revocation list is not used')).toBe(1)
  })

  test.each(['{', '{"version":1}', '[]'])('survives a damaged state file: %s', async (text) => {
    await bench.start()
    await bench.live.close()
    writeFileSync(join(bench.path, 'broker/revocation/state.json'), text)
    await bench.start()
    expect(bench.standing(bench.pump)).toBe('good')
  })

  test('after a long time off treats its copy as what it is: old', async () => {
    await bench.start()
    await bench.live.close()
    await bench.fleet.registry.down()
    bench.fleet.time = Date.now() + 600_001
    bench.live = await bench.fleet.startBroker()
    expect(bench.standing(bench.pump)).toBe('unknown')
    await bench.live.close()
    bench.live = await bench.fleet.startBroker({ stale: { policy: 'fail-open' } })
    expect([bench.standing(bench.pump), bench.live.revocation.status().isStale]).toEqual(['good', true])
  })
})

describe('stale revocation data', () => {
  test('under fail-closed ends the sessions and lets nobody in, until the server is back', async () => {
    await bench.start()
    const device = await bench.live.join('device', 'pump', { identity: bench.pump })
    await bench.fleet.registry.down()
    await expectSoon(() => !bench.counts().isConnected)
    bench.fleet.time = Date.now() + 600_000
    await device.closed
    expect(bench.live.broker.counts.ended).toEqual(new Map([['revocation-stale', 1]]))
    await expect(bench.live.join('device', 'pump', { identity: bench.pump })).rejects.toThrow('ended')
    expect(bench.live.broker.counts.refused.get('revocation-stale')).toBe(1)
    await bench.fleet.registry.up()
    await expectSoon(() => !bench.live.revocation.isClosed())
    await bench.live.join('device', 'pump', { identity: bench.pump })
  })

  test('under fail-open goes by what was known, and a revoked device stays out', async () => {
    await bench.fleet.registry.change('revoked', refOf(bench.lamp))
    await bench.start({ stale: { policy: 'fail-open' } })
    const device = await bench.live.join('device', 'pump', { identity: bench.pump })
    await bench.fleet.registry.down()
    await expectSoon(() => !bench.counts().isConnected)
    bench.fleet.time = Date.now() + 86_400_000
    await device.ping()
    await bench.live.join('device', 'other')
    await expect(bench.live.join('device', 'lamp', { identity: bench.lamp })).rejects.toThrow('ended')
    expect(bench.live.revocation.status()).toMatchObject({ isStale: true, isClosed: false })
  })

  test('is not made recent by lists that are past their nextUpdate', async () => {
    await bench.start({ timing: { cutOffPollMs: 20 } })
    bench.fleet.registry.brokenStream = 503
    bench.fleet.registry.cut()
    await expectSoon(() => !bench.counts().isConnected)
    bench.fleet.time = Date.now() + bench.fleet.registry.listLifetimeMs + 1
    const before = bench.counts().polls
    await expectSoon(() => bench.counts().polls > before + 2)
    expect(bench.live.revocation.isClosed()).toBe(true)
  })

  test('is kept recent by a stream that shows signs of life, and by nothing less', async () => {
    await bench.start()
    bench.fleet.time = Date.now() + 599_000
    bench.fleet.registry.beat()
    await expectSoon(() => (bench.live.revocation.status().ageMs ?? Infinity) < 599_000)
    bench.fleet.time += 599_999
    expect(bench.live.revocation.isClosed()).toBe(false)
    bench.fleet.time += 1
    expect(bench.live.revocation.isClosed()).toBe(true)
  })
})
