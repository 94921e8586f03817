import { generate } from 'mqtt-packet'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type LiveBroker, startLiveBroker } from '../testing/live-broker.ts'
import type { WireClient } from '../testing/wire-client.ts'

let live: LiveBroker
let service: WireClient

beforeEach(async () => {
  live = await startLiveBroker({ maxFilters: 3, maxDenials: 1_000 })
  service = await live.join('service', 'backend')
})
afterEach(async () => {
  await live.close()
})

const filter = (n: number): string => `devices/eve/commands/${n}`

function subscribe(messageId: number, topics: readonly string[], qos: 0 | 1 = 1): Buffer {
  return generate({ cmd: 'subscribe', messageId, subscriptions: topics.map((topic) => ({ topic, qos })) })
}

function unsubscribe(messageId: number, unsubscriptions: string[]): Buffer {
  return generate({ cmd: 'unsubscribe', messageId, unsubscriptions })
}

/** Which of these filters the device gets messages for, each as often as it gets them. */
async function heard(device: WireClient, filters: readonly string[]): Promise<string[]> {
  device.messages.length = 0
  for (const topic of filters) await service.publish(topic)
  await device.ping()
  return device.topics
}

describe.each([
  ['a clean', true],
  ['a persistent', false],
])('%s session', (_what, clean) => {
  let eve: WireClient

  beforeEach(async () => {
    eve = await live.join('device', 'eve', { clean })
  })

  test('has no filter left that it gives up in the segment in which it asks for it', async () => {
    const all: string[] = []
    for (let round = 0; round < 4; round++) {
      const three = [0, 1, 2].map((n) => filter(round * 3 + n))
      all.push(...three)
      eve.send(Buffer.concat([subscribe(1, three), unsubscribe(2, three)]))
      expect((await eve.receive('suback')).granted).toEqual([1, 1, 1])
      await eve.receive('unsuback')
    }
    expect(await heard(eve, all)).toEqual([])
    expect(await eve.subscribe(...all.slice(0, 3))).toEqual([1, 1, 1])
    expect(await eve.subscribe(all[3]!)).toEqual([128])
  })

  test('has a filter once that it asks for, gives up and asks for again', async () => {
    const [first, ...others] = [0, 1, 2, 3].map(filter)
    for (let round = 0; round < 4; round++) {
      eve.send(
        Buffer.concat([subscribe(1, [first!], 0), unsubscribe(2, [first!]), subscribe(3, [first!], 1)]),
      )
      for (const answer of ['suback', 'unsuback', 'suback'] as const) await eve.receive(answer)
    }
    expect(await heard(eve, [first!])).toEqual([first])
    expect(await eve.subscribe(...others)).toEqual([1, 1, 128])
    eve.send(unsubscribe(9, [first!]))
    await eve.receive('unsuback')
    expect(await heard(eve, [first!, ...others])).toEqual(others.slice(0, 2))
    expect(await eve.subscribe(others[2]!)).toEqual([1])
  })
})

test('a filter that was refused because there are too many is not stored', async () => {
  const identity = await live.issue('device', 'eve')
  const eve = await live.join('device', 'eve', { identity, clean: false })
  expect(await eve.subscribe(filter(0), filter(1), filter(2))).toEqual([1, 1, 1])
  expect(await eve.subscribe(filter(3), filter(0), filter(4))).toEqual([128, 1, 128])
  await eve.leave('abruptly')
  for (const n of [3, 4, 0]) await service.publish(filter(n))
  const again = await live.join('device', 'eve', { identity, clean: false })
  await again.message(filter(0))
  expect(again.topics).toEqual([filter(0)])
})
