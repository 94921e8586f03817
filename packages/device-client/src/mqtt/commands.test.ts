import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'

import { type Authority, createAuthority } from '../testing/authority.ts'
import { type MqttPeer, startMqttPeer } from '../testing/mqtt-peer.ts'
import { serveCommands } from './commands.ts'
import { connectMqtt } from './connect.ts'
import type { DeviceConnection } from './connection.ts'

let authority: Authority
let peer: MqttPeer
let connection: DeviceConnection

beforeAll(async () => {
  authority = await createAuthority()
})

beforeEach(async () => {
  peer = await startMqttPeer(authority)
  const identity = await authority.device('dev-1')
  connection = await connectMqtt({ url: peer.url, trust: authority.trust, identity })
})

afterEach(async () => {
  await connection.close()
  await peer.close()
})

let messageId = 0

function command(name: string, payload: string, dup = false): void {
  messageId += 1
  const topic = `devices/dev-1/commands/${name}`
  peer.send({ cmd: 'publish', topic, payload, qos: 1, messageId, dup, retain: false })
}

async function results(count: number): Promise<[string, unknown][]> {
  await peer.until(() => peer.publishes().length >= count)
  return peer.publishes().map(({ topic, payload }) => [topic, JSON.parse(payload.toString())])
}

describe('commands', () => {
  it('are subscribed, carried out and answered', async () => {
    await serveCommands(connection, {
      add: ({ arguments: list }) => (list as number[]).reduce((a, b) => a + b),
    })
    expect(peer.received.filter(({ cmd }) => cmd === 'subscribe')).toMatchObject([
      { subscriptions: [{ topic: 'devices/dev-1/commands/#', qos: 1 }] },
    ])
    command('add', '{"id":"c1","arguments":[1,2,3]}')
    expect(await results(1)).toEqual([
      ['devices/dev-1/commands/add/result', { id: 'c1', ok: true, result: 6 }],
    ])
  })

  it('that come twice are carried out once and answered twice', async () => {
    let calls = 0
    await serveCommands(connection, {
      count: async () => {
        calls += 1
        return calls
      },
    })
    command('count', '{"id":"c1"}')
    command('count', '{"id":"c1"}', true)
    command('count', '{"id":"c2"}')
    const answers = (await results(3)).map(([, answer]) => answer)
    expect(answers).toEqual([
      { id: 'c1', ok: true, result: 1 },
      { id: 'c1', ok: true, result: 1 },
      { id: 'c2', ok: true, result: 2 },
    ])
  })

  it('that fail, or that nobody knows, are answered with the error', async () => {
    await serveCommands(connection, {
      fail: () => {
        throw new Error('valve stuck')
      },
    })
    command('fail', 'no JSON')
    command('toString', '{"id":"c2"}')
    expect(await results(2)).toEqual([
      ['devices/dev-1/commands/fail/result', { id: null, ok: false, error: 'valve stuck' }],
      [
        'devices/dev-1/commands/toString/result',
        { id: 'c2', ok: false, error: 'this device knows no command "toString"' },
      ],
    ])
  })

  it('do not include our own results, which the filter matches too, nor deeper topics', async () => {
    const names: string[] = []
    await serveCommands(connection, { ping: ({ name }) => names.push(name) })
    command('ping/result', '{"id":"c0"}')
    command('ping/now', '{"id":"c0"}')
    command('ping', '{"id":"c1"}')
    expect(await results(1)).toHaveLength(1)
    expect(names).toEqual(['ping'])
  })

  it('are not served when the broker refuses the subscription', async () => {
    peer.script.suback = () => 128
    await expect(serveCommands(connection, {})).rejects.toMatchObject({ code: 'subscribe-refused' })
  })

  it('are not served any more after close()', async () => {
    const service = await serveCommands(connection, { ping: () => 'pong' })
    await service.close()
    command('ping', '{"id":"c1"}')
    await connection.publish('t', '"after"')
    expect((await results(1)).map(([topic]) => topic)).toEqual(['t'])
    expect(peer.received.filter(({ cmd }) => cmd === 'unsubscribe')).toHaveLength(1)
  })
})
