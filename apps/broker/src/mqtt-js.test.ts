import { clientTlsOptions } from '@fleetroot/tls-config'
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type LiveBroker, startLiveBroker, type Transport } from './testing/live-broker.ts'

let live: LiveBroker
let clients: MqttClient[]

beforeEach(async () => {
  live = await startLiveBroker()
  clients = []
})
afterEach(async () => {
  await Promise.all(clients.map((client) => client.endAsync(true)))
  await live.close()
})

async function connect(
  transport: Transport,
  profile: 'device' | 'service',
  id: string,
  more: IClientOptions = {},
): Promise<MqttClient> {
  const identity = await live.issue(profile, id)
  const { checkServerIdentity: _unused, ...tls } = clientTlsOptions({
    trust: [live.authority.root.pem],
    identity,
    mode: 'compatible',
  })
  const path = transport === 'wss' ? '/mqtt' : ''
  const client = await connectAsync(`${transport}://127.0.0.1:${live.broker.ports[transport]}${path}`, {
    ...(tls as IClientOptions),
    clientId: id,
    protocolVersion: 4,
    reconnectPeriod: 0,
    ...more,
  })
  clients.push(client)
  return client
}

/** The next message of a client. */
async function message(client: MqttClient): Promise<{ topic: string; payload: Buffer }> {
  return new Promise((resolve) => client.once('message', (topic, payload) => resolve({ topic, payload })))
}

describe.each<Transport>(['mqtts', 'wss'])('MQTT.js over %s', (transport) => {
  test('publishes and subscribes at QoS 0, 1 and 2', async () => {
    const service = await connect(transport, 'service', 'backend')
    expect(await service.subscribeAsync('devices/#', { qos: 2 })).toMatchObject([
      { topic: 'devices/#', qos: 2 },
    ])
    const device = await connect(transport, 'device', 'pump')
    for (const qos of [0, 1, 2] as const) {
      const arrived = message(service)
      await device.publishAsync('devices/pump/telemetry', `at ${qos}`, { qos })
      const { topic, payload } = await arrived
      expect([topic, payload.toString()]).toEqual(['devices/pump/telemetry', `at ${qos}`])
    }
  })

  test('is told which of its filters were refused', async () => {
    const device = await connect(transport, 'device', 'pump')
    await expect(device.subscribeAsync('#', { qos: 1 })).rejects.toThrow('Unspecified error')
  })

  test('gets 64 KiB through in both directions', async () => {
    const service = await connect(transport, 'service', 'backend')
    await service.subscribeAsync('devices/#', { qos: 1 })
    const device = await connect(transport, 'device', 'pump')
    const payload = Buffer.alloc(64 * 1024, 'x')
    const arrived = message(service)
    await device.publishAsync('devices/pump/telemetry', payload, { qos: 1 })
    expect((await arrived).payload.equals(payload)).toBe(true)
  })
})
