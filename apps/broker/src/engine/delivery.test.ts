import { createLogger } from '@fleetroot/service'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Store } from '../store/store.ts'
import { type BenchEngine, identity, startBenchEngine } from '../testing/bench-engine.ts'
import type { WireClient } from '../testing/wire-client.ts'

let bench: BenchEngine
let device: WireClient

beforeEach(async () => {
  bench = await startBenchEngine()
  device = await bench.connect(identity('device', 'pump'))
})
afterEach(async () => {
  await bench.engine.close()
})

const telemetry = 'devices/pump/telemetry/t'

for (const clean of [true, false]) {
  describe(`the quality of service of a delivery to a session that is ${clean ? 'clean' : 'stored'}`, () => {
    async function received(): Promise<(number | undefined)[]> {
      for (const qos of [0, 1, 2] as const) await device.publish(telemetry, String(qos), { qos })
      await service.ping()
      await service.ping()
      return service.messages.map(({ qos }) => qos)
    }
    let service: WireClient

    beforeEach(async () => {
      service = await bench.connect(identity('service', 'backend'), clean)
    })

    for (const granted of [0, 1, 2] as const) {
      test(`by a wildcard at ${granted} is the lower of that and the message's`, async () => {
        await service.subscribeAt(granted, 'devices/+/telemetry/#')
        expect(await received()).toEqual([0, Math.min(1, granted), Math.min(2, granted)])
      })
    }

    test('by several filters is the highest of those that match, once [MQTT-3.3.5-1]', async () => {
      await service.subscribeAt(0, 'devices/#')
      await service.subscribeAt(2, 'devices/pump/#')
      await service.subscribeAt(1, telemetry)
      await service.subscribeAt(2, 'devices/fan/#')
      expect(await received()).toEqual([0, 1, 2])
    })

    test('of a retained message is found in the same way', async () => {
      await device.publish('devices/pump/state', 'x', { qos: 2, retain: true })
      await service.subscribeAt(1, 'devices/+/state')
      expect(await service.message('devices/pump/state')).toMatchObject({ qos: 1, retain: true })
    })

    test('goes down when the filter is subscribed again at a lower one', async () => {
      await service.subscribeAt(2, 'devices/#')
      await service.subscribeAt(0, 'devices/#')
      expect(await received()).toEqual([0, 0, 0])
    })
  })
}

test('more retained messages than a queue may hold reach a stored session, at the pace at which it acknowledges', async () => {
  await bench.engine.close()
  const log = createLogger({ name: 'broker', level: 'silent' })
  const store = new Store({ log, now: () => bench.time, limits: { maxQueuedMessages: 100 } })
  bench = await startBenchEngine({}, { store })
  const service = await bench.connect(identity('service', 'console'))
  for (let n = 0; n < 3_000; n++) {
    await service.publish(`devices/pump/commands/${n}`, 'x', { retain: true, qos: n < 2_000 ? 1 : 2 })
  }
  const reader = await bench.connect(identity('service', 'backend'), false)
  await reader.subscribeAt(2, 'devices/pump/commands/#')
  while (reader.messages.length < 3_000) await reader.ping()
  expect(new Set(reader.topics).size).toBe(3_000)
  expect(store.counts.dropped.size).toBe(0)
})

test('what comes while a queue is being sent comes after it', async () => {
  const who = identity('service', 'backend')
  const before = await bench.connect(who, false)
  await before.subscribe('devices/#')
  await before.leave()
  for (let n = 0; n < 200; n++) await device.publish(telemetry, String(n))
  const publishing = (async () => {
    for (let n = 200; n < 400; n++) await device.publish(telemetry, String(n))
  })()
  const after = await bench.connect(who, false)
  await publishing
  while (after.messages.length < 400) await after.ping()
  expect(after.messages.map(({ payload }) => Number(payload.toString()))).toEqual(
    Array.from({ length: 400 }, (_, n) => n),
  )
})
