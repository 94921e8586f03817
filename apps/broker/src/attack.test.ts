import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { defaultPolicy } from './testing/bench-engine.ts'
import { type LiveBroker, startLiveBroker, type Transport } from './testing/live-broker.ts'
import type { WireClient } from './testing/wire-client.ts'
import { parsePolicy } from '@fleetroot/policy'

/**
 * What a device with a valid certificate can try once it is connected, over real mutual TLS. Each test has a
 * device `eve` that attacks, a device `bob` that is attacked, and a service that sees all that devices say.
 */
describe.each<Transport>(['mqtts', 'wss'])('with a valid certificate over %s', (transport) => {
  let live: LiveBroker
  let service: WireClient
  let bob: WireClient
  let eve: WireClient

  beforeAll(async () => {
    live = await startLiveBroker({ maxDenials: 1_000 })
    service = await live.join('service', 'backend')
    await service.subscribe('devices/#')
    bob = await live.join('device', 'bob')
    await bob.subscribe('devices/bob/commands/#', 'fleet/broadcast/#')
    eve = await live.join('device', 'eve', { transport })
  })
  afterAll(async () => {
    await live.close()
  })

  let marks = 0
  /**
   * What the service and bob have got so far. Something allowed is sent after what was tried, and waited for:
   * all that went before it would be there, too.
   */
  async function heard(): Promise<string[]> {
    const mark = `devices/eve/telemetry/mark-${(marks += 1)}`
    await eve.publish(mark)
    await service.message(mark)
    await service.publish('devices/bob/commands/mark')
    await bob.message('devices/bob/commands/mark')
    const topics = [...service.topics, ...bob.topics].filter((topic) => !topic.includes('mark'))
    service.messages.length = 0
    bob.messages.length = 0
    return topics
  }

  describe('a device that publishes', () => {
    test.each([0, 1, 2] as const)('on its own topics is heard at QoS %i', async (qos) => {
      await eve.publish('devices/eve/telemetry/temperature', '21', { qos })
      await eve.publish('devices/eve/state', 'on', { qos })
      expect(await heard()).toEqual(['devices/eve/telemetry/temperature', 'devices/eve/state'])
    })

    test.each([0, 1, 2] as const)(
      'on the topic of another device is acknowledged and not heard at QoS %i',
      async (qos) => {
        await eve.publish('devices/bob/telemetry', 'lie', { qos })
        await eve.publish('devices/bob/commands/open', 'lie', { qos })
        expect(await heard()).toEqual([])
      },
    )

    test.each([
      'devices/eve/../bob/telemetry',
      'devices/eve/telemetry/../../bob/telemetry',
      'devices/bob/commands/1/result',
      'devices//telemetry',
      'devices/eve//telemetry',
      '/devices/eve/telemetry',
      'devices/eve/telemetry/',
      'devices/eve/telemetry//x',
      'devices/eve/commands/1',
      'devices/EVE/telemetry',
      'devices/eve /telemetry',
      'devices/ev\u0435/telemetry',
      'devices/eve/telemetry/\u0000',
      'devices/eve/telemetry/\u001b[2J',
      'fleet/broadcast/all',
      'fleet/presence/bob',
      '$SYS/x/new/clients',
      '$denied',
      '$share/g/devices/eve/telemetry',
      'x',
    ])('on %j is not heard', async (topic) => {
      await eve.publish(topic, 'lie')
      expect(await heard()).toEqual([])
    })

    test('on a topic of 64 KiB is not heard', async () => {
      await eve.publish(`devices/eve/telemetry/${'x'.repeat(65_500)}`, 'lie')
      await eve.publish(`devices/eve/telemetry${'/x'.repeat(90)}`, 'lie')
      expect(await heard()).toEqual([])
    })

    test('a retained message on a foreign topic leaves nothing behind for later subscribers', async () => {
      await eve.publish('devices/bob/state', 'lie', { retain: true })
      await eve.publish('devices/bob/commands/open', 'lie', { retain: true })
      const late = await live.join('service', 'late')
      await late.subscribe('devices/#')
      const again = await live.join('device', 'bob')
      await again.subscribe('devices/bob/commands/#')
      await eve.publish('devices/eve/state')
      await late.message('devices/eve/state')
      await again.ping()
      expect([late.topics, again.topics]).toEqual([['devices/eve/state'], []])
      bob = await live.join('device', 'bob')
      await bob.subscribe('devices/bob/commands/#', 'fleet/broadcast/#')
      service.messages.length = 0
    })

    test('cannot clear a message that another device retained', async () => {
      const carol = await live.join('device', 'carol')
      await carol.publish('devices/carol/state', 'on', { retain: true })
      await service.message('devices/carol/state')
      await eve.publish('devices/carol/state', '', { retain: true })
      const late = await live.join('service', 'later')
      await late.subscribe('devices/carol/#')
      expect((await late.message('devices/carol/state')).payload.toString()).toBe('on')
      await carol.publish('devices/carol/state', '', { retain: true })
      await service.message('devices/carol/state')
      service.messages.length = 0
    })
  })

  describe('a device that subscribes', () => {
    test.each([
      '#',
      '+',
      '+/#',
      '+/+/#',
      '+/+/+/+',
      'devices/#',
      'devices/+/#',
      'devices/+/commands/#',
      'devices/bob/commands/#',
      'devices/bob/commands/+',
      'devices/eve/#',
      'devices/eve/../bob/commands/#',
      'devices/eve/commands//#',
      'devices//commands/#',
      '/devices/eve/commands/#',
      'fleet/#',
      'fleet/presence/+',
      '$SYS/#',
      '$SYS/+/new/clients',
      '$SYS/+/new/subscribes',
      '+/+/new/subscribes',
      '$denied',
      '$denied/#',
      '$share/g/devices/#',
      '$share/g/devices/eve/commands/#',
      'devices/eve/commands/\u0000',
      `devices/eve/commands/${'x'.repeat(65_000)}`,
    ])('to %.60j gets 128 and nothing else', async (filter) => {
      expect(await eve.subscribe(filter)).toEqual([128])
      await service.publish('devices/bob/commands/secret')
      await service.publish('fleet/presence/bob')
      await eve.ping()
      expect(eve.topics).toEqual([])
      bob.messages.length = 0
      service.messages.length = 0
    })

    test.each(['a+', 'devices/eve/commands/#/x', 'devices/eve/comm#', 'devices/+eve/commands'])(
      'to the malformed filter %j gets 128 or is cut off, and never a message',
      async (filter) => {
        const mallory = await live.join('device', 'mallory', { transport })
        const granted = await mallory.subscribe(filter).catch(() => 'cut off')
        expect(granted === 'cut off' || granted[0] === 128).toBe(true)
        expect(mallory.topics).toEqual([])
      },
    )

    test('to a list of which one is allowed gets only that one, live and after a reconnect', async () => {
      const identity = await live.issue('device', 'dave')
      const dave = await live.join('device', 'dave', { identity, transport, clean: false })
      const filters = [
        '#',
        'devices/bob/commands/#',
        'devices/dave/commands/#',
        'devices/+/commands/#',
        '$SYS/#',
      ]
      expect(await dave.subscribe(...filters)).toEqual([128, 128, 1, 128, 128])
      await service.publish('devices/bob/commands/1')
      await service.publish('devices/dave/commands/1')
      await dave.message('devices/dave/commands/1')
      await dave.leave('abruptly')
      await service.publish('devices/bob/commands/2')
      await service.publish('devices/dave/commands/2')
      await service.publish('devices/eve/commands/2')
      const again = await live.join('device', 'dave', { identity, transport, clean: false })
      await again.message('devices/dave/commands/2')
      await again.ping()
      expect(dave.topics).toEqual(['devices/dave/commands/1'])
      expect(again.topics).toEqual(['devices/dave/commands/2'])
      bob.messages.length = 0
      service.messages.length = 0
    })
  })

  test('a subscription from before the policy was tightened delivers nothing more, live and from the queue', async () => {
    const loose = parsePolicy(
      "version: 1\nroles:\n  device:\n    clientIds: ['${id}']\n    subscribe: ['#']\n",
      'loose',
    )
    live.broker.setPolicy(loose)
    const frank = await live.join('device', 'frank', { transport })
    const identity = await live.issue('device', 'grace')
    const grace = await live.join('device', 'grace', { identity, transport, clean: false })
    expect([await frank.subscribe('#'), await grace.subscribe('#')]).toEqual([[1], [1]])
    await grace.leave('abruptly')
    live.broker.setPolicy(defaultPolicy)
    for (const name of ['bob', 'frank', 'grace']) await service.publish(`devices/${name}/commands/1`)
    await frank.message('devices/frank/commands/1')
    const again = await live.join('device', 'grace', { identity, transport, clean: false })
    // The stored `#` is gone with all that waited for it: the session has no filter that is allowed now.
    await again.ping()
    await again.subscribe('devices/grace/commands/#')
    await service.publish('devices/grace/commands/2')
    await again.message('devices/grace/commands/2')
    // While `#` was allowed it heard the broker's own messages.
    expect(frank.topics.filter((topic) => !topic.startsWith('fleet/'))).toEqual(['devices/frank/commands/1'])
    expect(again.topics.filter((topic) => !topic.startsWith('devices/grace/'))).toEqual([])
    bob.messages.length = 0
    service.messages.length = 0
  })
})
