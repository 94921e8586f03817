import { afterEach, beforeEach, expect, test } from 'vitest'
import { type LiveBroker, startLiveBroker } from '../testing/live-broker.ts'
import { noRates } from '../testing/no-rates.ts'

let live: LiveBroker

beforeEach(async () => {
  live = await startLiveBroker(noRates)
})
afterEach(async () => {
  await live.close()
})

test('the last retained message of each topic is sent once to a new subscriber, whatever filters match it', async () => {
  const eve = await live.join('device', 'eve')
  for (const n of [1, 2, 3]) await eve.publish(`devices/eve/telemetry/${n}`, 'old', { retain: true })
  await eve.publish('devices/eve/telemetry/2', 'new', { retain: true })
  await eve.publish('devices/eve/telemetry/3', '', { retain: true })
  const service = await live.join('service', 'backend')
  await service.subscribe('devices/eve/telemetry/1', 'devices/eve/telemetry/+', 'devices/#')
  const received = [await service.receive('publish'), await service.receive('publish')]
  await service.ping()
  expect(service.messages.length).toBe(2)
  const texts = received.map(({ topic, payload, retain }) => `${topic} ${payload.toString()} ${retain}`)
  expect(new Set(texts)).toEqual(
    new Set(['devices/eve/telemetry/1 old true', 'devices/eve/telemetry/2 new true']),
  )
})

test('other clients have their turn while the filters of a SUBSCRIBE are looked up among many messages', async () => {
  const writer = await live.join('service', 'writer')
  for (let n = 0; n < 20_000; n++) {
    const topic = `devices/eve/commands/${n}`
    writer.send({ cmd: 'publish', topic, payload: 'x', qos: 0, retain: true, dup: false })
  }
  await writer.ping()
  const service = await live.join('service', 'backend')
  const shapes = ['devices/eve/commands/+', 'devices/+/commands/+', 'devices/eve/+/+', 'devices/+/+/+']
  const filters = Array.from({ length: 99 }, (_, n) => `${shapes[n % 4]}/${n}`)
  await service.subscribe(...filters, 'devices/eve/commands/19999')
  // It is the last to be found: a hundred turns of the event loop later, of which a ping takes a few.
  let isFound = false
  const found = service.receive('publish').then(() => (isFound = true))
  await writer.ping()
  expect(isFound).toBe(false)
  await found
})
