import { describe, expect, test } from 'vitest'
import { type BenchEngine, identity, startBenchEngine } from '../testing/bench-engine.ts'
import type { WireClient } from '../testing/wire-client.ts'

test('a stop cuts off nothing that was acknowledged: what a device has a PUBACK for reaches the service', async () => {
  const bench = await startBenchEngine()
  const backend = await bench.connect(identity('service', 'backend'))
  expect(await backend.subscribe('devices/#')).toEqual([1])
  const devices = await Promise.all(
    Array.from({ length: 20 }, (_, index) => bench.connect(identity('device', `device-${index}`))),
  )
  for (const [index, device] of devices.entries()) {
    for (let messageId = 1; messageId <= 25; messageId++) {
      device.send({
        cmd: 'publish',
        topic: `devices/device-${index}/telemetry/${messageId}`,
        payload: 'x',
        qos: 1,
        messageId,
        dup: false,
        retain: false,
      })
    }
  }
  // In the middle of it: some are acknowledged and not forwarded, some are not even read.
  await devices[0]?.receive('puback')
  await bench.engine.close()
  await Promise.all([...devices, backend].map(({ closed }) => closed))

  const delivered = new Set(backend.messages.map(({ topic }) => topic))
  const acknowledged = devices.flatMap((device, index) =>
    device.waiting.flatMap((packet) =>
      packet.cmd === 'puback' ? [`devices/device-${index}/telemetry/${packet.messageId}`] : [],
    ),
  )
  expect(acknowledged.length).toBeGreaterThan(0)
  expect(acknowledged.filter((topic) => !delivered.has(topic))).toEqual([])
})

describe('the sessions of devices, when the broker stops,', () => {
  const join = (bench: BenchEngine, howMany: number): Promise<WireClient[]> =>
    Promise.all(
      Array.from({ length: howMany }, (_, index) => bench.connect(identity('device', `device-${index}`))),
    )

  test('end one after the other over the time that the drain is given, and are served until their turn comes', async () => {
    const bench = await startBenchEngine({ drainSpreadMs: 3_000 })
    const backend = await bench.connect(identity('service', 'backend'))
    await backend.subscribe('devices/#')
    const devices = await join(bench, 300)
    const order: number[] = []
    for (const [index, { closed }] of devices.entries()) void closed.then(() => order.push(index))
    const began = performance.now()
    const closing = bench.engine.close()

    // Some have gone: the last one still has its messages acknowledged and delivered.
    await devices[2]!.closed
    expect(order.length).toBeLessThan(300)
    const topic = 'devices/device-299/telemetry/late'
    const last = devices[299]!
    last.send({ cmd: 'publish', topic, payload: 'x', qos: 1, messageId: 7, dup: false, retain: false })
    await last.receive('puback')
    await closing
    await Promise.all([...devices, backend].map(({ closed }) => closed))
    expect(backend.messages.map((message) => message.topic)).toContain(topic)

    expect(performance.now() - began).toBeGreaterThan(2_900)
    expect(order).toEqual(devices.map((_, index) => index))
  })

  test('that are few do not take that long', async () => {
    const bench = await startBenchEngine({ drainSpreadMs: 3_600_000 })
    const devices = await join(bench, 10)
    await bench.engine.close()
    await Promise.all(devices.map(({ closed }) => closed))
    expect(bench.engine.sessions.size).toBe(0)
  })

  test('are not waited for when they have left by themselves', async () => {
    const bench = await startBenchEngine({ drainSpreadMs: 3_600_000 })
    // As many as would take longer than this test may.
    const devices = await join(bench, 2_000)
    const closing = bench.engine.close()
    for (const device of devices) device.stream.destroy()
    await closing
    expect(bench.engine.sessions.size).toBe(0)
  })
})
