import { expect, test } from 'vitest'
import { identity, startBenchEngine } from '../testing/bench-engine.ts'

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
