import { afterEach, beforeEach, expect, test } from 'vitest'
import { type LiveBroker, startLiveBroker } from '../testing/live-broker.ts'
import type { WireClient } from '../testing/wire-client.ts'

let live: LiveBroker

beforeEach(async () => {
  live = await startLiveBroker({ maxInflight: 10 })
})
afterEach(async () => {
  await live.close()
})

/** The first half of a QoS 2 exchange: the PUBREL is missing. */
async function begin(client: WireClient, messageId: number): Promise<void> {
  const topic = `devices/eve/telemetry/${messageId}`
  client.send({ cmd: 'publish', topic, payload: 'x', qos: 2, messageId, retain: false, dup: false })
  await client.receive('pubrec')
}

test('a session has one window for QoS 2 messages, however often its client reconnects', async () => {
  const service = await live.join('service', 'backend')
  await service.subscribe('devices/#')
  const identity = await live.issue('device', 'eve')
  const join = (clean = false) => live.join('device', 'eve', { identity, clean })

  const first = await join()
  for (let messageId = 1; messageId <= 6; messageId++) await begin(first, messageId)
  await first.leave('abruptly')
  const second = await join()
  for (let messageId = 7; messageId <= 10; messageId++) await begin(second, messageId)
  await expect(begin(second, 11)).rejects.toThrow('ended')

  const third = await join()
  // Sent again, as a client must [MQTT-4.4.0-1]: acknowledged, and not published twice.
  await begin(third, 1)
  third.send({ cmd: 'pubrel', messageId: 1 })
  await third.receive('pubcomp')
  await begin(third, 11)
  await expect(begin(third, 12)).rejects.toThrow('ended')

  const fresh = await join(true)
  for (let messageId = 1; messageId <= 10; messageId++) await begin(fresh, messageId)
  await service.ping()
  const expected = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
  expect(service.topics).toEqual(expected.map((n) => `devices/eve/telemetry/${n}`))
})
