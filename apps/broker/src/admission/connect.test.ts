import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type LiveBroker, startLiveBroker, type Transport } from '../testing/live-broker.ts'

describe.each<Transport>(['mqtts', 'wss'])('CONNECT over %s', (transport) => {
  let live: LiveBroker

  beforeAll(async () => {
    live = await startLiveBroker({ maxKeepaliveSeconds: 600 })
  })
  afterAll(async () => {
    await live.close()
  })

  async function refusal(
    options: object,
    profile: 'device' | 'service' | 'operator' = 'device',
  ): Promise<number | undefined> {
    const client = await live.open(await live.issue(profile, 'eve'), { transport })
    const connack = await client.connect({ clientId: 'eve', ...options })
    if (connack.returnCode !== 0) await client.closed
    return connack.returnCode
  }
  const will = { payload: Buffer.from('x'), qos: 1, retain: false } as const

  test('with the device id as client id is accepted', async () => expect(await refusal({})).toBe(0))

  test.each(['bob', 'EVE', 'eve.1', 'eve ', 'eve\u0000', '+', '#', 'x'.repeat(4_000)])(
    'with the client id %.20j of somebody else is refused with 2',
    async (clientId) => expect(await refusal({ clientId })).toBe(2),
  )

  test.each([true, false])('with an empty client id is refused with 2 (clean session %s)', async (clean) => {
    const client = await live.open(await live.issue('device', 'eve'), { transport })
    client.send(Buffer.of(0x10, 12, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, clean ? 2 : 0, 0, 60, 0, 0))
    expect((await client.receive('connack')).returnCode).toBe(2)
    await client.closed
  })

  test('a service may add to its id behind a dot, and nothing else', async () => {
    expect(await refusal({ clientId: 'eve.worker-1' }, 'service')).toBe(0)
    expect(await refusal({ clientId: 'evelyn' }, 'service')).toBe(2)
    expect(await refusal({ clientId: 'bob' }, 'operator')).toBe(2)
  })

  test('for MQTT 3.1 or 5 is refused with 1', async () => {
    expect(await refusal({ protocolId: 'MQIsdp', protocolVersion: 3 })).toBe(1)
    const client = await live.open(await live.issue('device', 'eve'), { transport })
    client.send(Buffer.of(0x10, 16, 0, 4, 0x4d, 0x51, 0x54, 0x54, 5, 2, 0, 60, 0, 0, 3, 0x65, 0x76, 0x65))
    expect((await client.receive('connack')).returnCode).toBe(1)
    await client.closed
  })

  test.each([
    ['the bridge bit in its level', [0, 4, ...Buffer.from('MQTT'), 0x84]],
    ['the name of MQTT 3.1 and the level of 3.1.1', [0, 6, ...Buffer.from('MQIsdp'), 4]],
    ['the name of MQTT 3.1, its level and the bridge bit', [0, 6, ...Buffer.from('MQIsdp'), 0x83]],
  ])('with %s is refused with 1 [MQTT-3.1.2-1, MQTT-3.1.2-2]', async (_what, protocol) => {
    const client = await live.open(await live.issue('device', 'eve'), { transport })
    const body = [...protocol, 2, 0, 60, 0, 3, ...Buffer.from('eve')]
    client.send(Buffer.of(0x10, body.length, ...body))
    expect((await client.receive('connack')).returnCode).toBe(1)
    await client.closed
  })

  test.each([0, 601, 65_535])('with a keep alive of %i s is refused with 2', async (keepalive) =>
    expect(await refusal({ keepalive })).toBe(2),
  )

  test.each([
    'devices/bob/state',
    'devices/bob/telemetry',
    'fleet/broadcast/x',
    '$SYS/x/new/clients',
    'devices/eve/../bob/state',
    '#',
  ])('with a will on %s is refused with 5', async (topic) =>
    expect(await refusal({ will: { ...will, topic } })).toBe(5),
  )

  test('with a retained will on a foreign topic is refused with 5', async () => {
    expect(await refusal({ will: { ...will, topic: 'devices/bob/state', retain: true } })).toBe(5)
  })

  test('with a will on an own topic is accepted', async () => {
    expect(await refusal({ will: { ...will, topic: 'devices/eve/state', retain: true } })).toBe(0)
  })

  test('with somebody else’s user name is judged by the certificate alone', async () => {
    expect(await refusal({ username: 'bob', password: Buffer.from('bob') })).toBe(0)
    expect(await refusal({ username: 'bob', password: Buffer.from('bob'), clientId: 'bob' })).toBe(2)
  })

  test('twice on one connection ends it [MQTT-3.1.0-2]', async () => {
    const client = await live.join('device', 'eve', { transport })
    client.connect({ clientId: 'eve' }).catch(() => undefined)
    await client.closed
    expect(live.broker.counts.refused.get('connect-repeated')).toBe(1)
  })

  test('by the same identity takes the older connection over', async () => {
    const identity = await live.issue('device', 'tom')
    const older = await live.join('device', 'tom', { transport, identity })
    const newer = await live.join('device', 'tom', { transport, identity })
    await older.closed
    await newer.ping()
    expect([older.stream.destroyed, newer.stream.destroyed]).toEqual([true, false])
  })

  test('by another identity under the same name takes nothing over', async () => {
    const device = await live.join('device', 'ann', { transport, clean: false })
    await device.subscribe('devices/ann/commands/#')
    // A service with the id of the device, and one that may extend its own id to that of the device.
    const twin = await live.open(await live.issue('service', 'ann'), { transport })
    expect(await twin.connect({ clientId: 'ann', clean: false })).toMatchObject({
      returnCode: 0,
      sessionPresent: false,
    })
    const rival = await live.open(await live.issue('device', 'eve'), { transport })
    expect((await rival.connect({ clientId: 'ann', clean: false })).returnCode).toBe(2)
    await device.ping()
    await twin.publish('devices/ann/commands/1')
    await device.message('devices/ann/commands/1')
    expect(twin.topics).toEqual([])
  })
})
