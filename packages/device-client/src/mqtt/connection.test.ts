import { once } from 'node:events'

import { afterEach, beforeAll, describe, expect, it } from 'vitest'

import { DeviceClientError } from '../error.ts'
import { type Authority, createAuthority, type Leaf } from '../testing/authority.ts'
import { type MqttPeer, startMqttPeer } from '../testing/mqtt-peer.ts'
import { connectMqtt } from './connect.ts'
import type { DeviceConnection } from './connection.ts'
import type { Message } from './message.ts'
import type { MqttOptions } from './options.ts'

let authority: Authority
let device: Leaf
const cleanUp: (() => unknown)[] = []

beforeAll(async () => {
  authority = await createAuthority()
  device = await authority.device('dev-1')
})

afterEach(async () => {
  for (const close of cleanUp.splice(0).toReversed()) await close()
})

async function startPeer(options?: Parameters<typeof startMqttPeer>[1]): Promise<MqttPeer> {
  const peer = await startMqttPeer(authority, options)
  cleanUp.push(async () => peer.close())
  return peer
}

/** Reconnects at once. */
async function connect(peer: MqttPeer, options: Partial<MqttOptions> = {}): Promise<DeviceConnection> {
  const connection = await connectMqtt({
    url: peer.url,
    trust: authority.trust,
    identity: device,
    backoff: () => 0,
    ...options,
  })
  cleanUp.push(async () => connection.close({ timeoutMs: 0 }))
  return connection
}

const codeOf = async (failing: Promise<unknown>): Promise<unknown> =>
  failing.then(
    () => 'no failure',
    (error: DeviceClientError) => error.code,
  )

const payloads = (peer: MqttPeer) => peer.publishes().map(({ payload }) => payload.toString())

describe.each(['mqtts', 'wss'] as const)('a connection over %s', (transport) => {
  it('connects as the device id of its certificate, publishes and resolves on PUBACK', async () => {
    const peer = await startPeer({ transport })
    peer.script.puback = () => 'withhold'
    const connection = await connect(peer, { keepaliveSeconds: 17 })
    expect(peer.connects()).toMatchObject([
      { clientId: 'dev-1', protocolId: 'MQTT', protocolVersion: 4, clean: true, keepalive: 17 },
    ])
    let done = false
    const published = connection
      .publish('devices/dev-1/state', 'on', { retain: true })
      .then(() => (done = true))
    await peer.until(() => peer.publishes().length === 1)
    expect(peer.publishes()).toMatchObject([
      { topic: 'devices/dev-1/state', qos: 1, retain: true, dup: false },
    ])
    expect([done, connection.unacknowledged]).toEqual([false, 1])
    peer.send({ cmd: 'puback', messageId: peer.publishes()[0]?.messageId ?? 0 })
    await published
    expect(connection.unacknowledged).toBe(0)
  })

  it('subscribes, and gives its handlers what arrives', async () => {
    const peer = await startPeer({ transport })
    const connection = await connect(peer)
    const arrived = new Promise<Message>((resolve) => connection.onMessage(resolve))
    await expect(connection.subscribe('devices/dev-1/commands/#')).resolves.toBe(1)
    peer.send({
      cmd: 'publish',
      topic: 'devices/dev-1/commands/x',
      payload: 'y',
      qos: 1,
      messageId: 9,
      dup: true,
      retain: false,
    })
    expect({ ...(await arrived), payload: (await arrived).payload.toString() }).toEqual({
      topic: 'devices/dev-1/commands/x',
      payload: 'y',
      qos: 1,
      retain: false,
      duplicate: true,
    })
    await peer.until(() => peer.received.some(({ cmd, messageId }) => cmd === 'puback' && messageId === 9))
  })

  it('closes with a DISCONNECT after the last acknowledgement', async () => {
    const peer = await startPeer({ transport })
    const connection = await connect(peer)
    const published = connection.publish('t', 'last')
    await expect(connection.close()).resolves.toEqual({ undelivered: 0 })
    await published
    expect(peer.received.map(({ cmd }) => cmd)).toEqual(['connect', 'publish', 'disconnect'])
    await expect(connection.publish('t', 'later')).rejects.toMatchObject({ code: 'connection-closed' })
    await expect(connection.close()).resolves.toEqual({ undelivered: 0 })
  })

  it('reconnects, resumes TLS and sends again what was not acknowledged, with its identifier, DUP and order', async () => {
    const peer = await startPeer({ transport })
    const connection = await connect(peer)
    await connection.publish('t', '0')
    peer.script.puback = ({ payload }) => (payload.toString() === '2' ? 'drop' : 'withhold')
    const published = ['1', '2', '3'].map(async (payload) => connection.publish('t', payload))
    await peer.until(() => payloads(peer).includes('2') && peer.open.size === 0)
    const before = peer.publishes().length
    peer.script.puback = () => 'send'
    await Promise.all(published)
    const again = peer.publishes().slice(before)
    expect(again.map(({ payload, dup }) => [payload.toString(), dup])).toEqual([
      ['1', true],
      ['2', true],
      // The peer had hung up before it was read; we had sent it all the same.
      ['3', true],
    ])
    const first = peer.publishes().find(({ payload }) => payload.toString() === '1')
    expect(again[0]?.messageId).toBe(first?.messageId)
    expect(peer.handshakes.at(-1)?.resumed).toBe(true)
  })
})

describe('the first connection', () => {
  it.each([
    [1, 'connect-refused', 'it does not speak MQTT 3.1.1'],
    [2, 'connect-refused', 'this identity may not use this client id'],
    [3, 'server-failed', 'it is not available now'],
    [5, 'connect-refused', 'this identity is not authorized'],
  ])('says what CONNACK %i means', async (connack, code, words) => {
    const peer = await startPeer()
    peer.script.connack = connack
    await expect(connect(peer)).rejects.toMatchObject({
      code,
      status: connack,
      message: expect.stringContaining(words),
    })
  })

  it('is refused without a trusted client certificate, and a broker that says nothing is explained', async () => {
    const peer = await startPeer()
    const stranger = await (await createAuthority()).device('dev-1')
    await expect(connect(peer, { identity: stranger })).rejects.toMatchObject({
      code: 'connection-lost',
      message: expect.stringContaining('before CONNACK, which is how some brokers refuse a certificate'),
    })
    expect(peer.received).toEqual([])
  })

  it('is not made to a server of another CA of the same name: not even CONNECT is sent', async () => {
    const peer = await startPeer()
    const fake = await createAuthority()
    await expect(connect(peer, { trust: fake.trust })).rejects.toMatchObject({ code: 'tls-failed' })
    expect(peer.received).toEqual([])
  })

  it('is not made to a server with a certificate for another host', async () => {
    const peer = await startPeer({ identity: await authority.server({ dns: ['other.test'], ip: [] }) })
    await expect(connect(peer)).rejects.toMatchObject({ code: 'tls-failed', tlsCode: 'wrong-host-name' })
    await expect(connect(peer, { serverName: 'other.test' })).resolves.toBeDefined()
  })

  it('is given up when CONNACK does not come', async () => {
    const peer = await startPeer()
    peer.script.connack = 'silent'
    await expect(connect(peer, { connectTimeoutMs: 100 })).rejects.toMatchObject({ code: 'timed-out' })
  })

  it('fails at once when nothing listens', async () => {
    const peer = await startPeer()
    await peer.close()
    cleanUp.pop()
    await expect(connect(peer)).rejects.toMatchObject({ code: 'network-failed' })
  })

  it('is tried again if that is wanted and may help', async () => {
    const peer = await startPeer()
    peer.script.connack = 3
    const attempt = connect(peer, { firstConnection: 'retry' })
    await peer.until(() => peer.connects().length >= 2)
    peer.script.connack = 0
    await expect(attempt).resolves.toMatchObject({ online: true })
  })

  it('is not tried again after a refusal that is final', async () => {
    const peer = await startPeer()
    peer.script.connack = 5
    await expect(connect(peer, { firstConnection: 'retry' })).rejects.toMatchObject({
      code: 'connect-refused',
    })
    expect(peer.connects()).toHaveLength(1)
  })

  it('can be aborted', async () => {
    const peer = await startPeer()
    peer.script.connack = 'silent'
    const abort = new AbortController()
    const attempt = connect(peer, { signal: abort.signal })
    const refused = codeOf(attempt)
    await peer.until(() => peer.connects().length === 1)
    abort.abort()
    expect(await refused).toBe('connection-closed')
  })

  it.each([
    ['mqtt://localhost', 'the URL begins with mqtt://: it must be mqtts:// or wss://'],
    ['ws://localhost', 'the URL begins with ws://: it must be mqtts:// or wss://'],
  ])('is never in plaintext: %s is refused', async (url, message) => {
    await expect(connectMqtt({ url, trust: authority.trust, identity: device })).rejects.toMatchObject({
      code: 'url-invalid',
      message,
    })
  })
})

describe('while offline', () => {
  it('messages wait, arrive in order and once', async () => {
    const peer = await startPeer()
    let waitMs = 0
    const connection = await connect(peer, { backoff: () => waitMs })
    waitMs = 50
    peer.drop()
    await once(connection, 'offline')
    const published = Array.from({ length: 200 }, async (_, at) => connection.publish('t', String(at)))
    expect(connection.online).toBe(false)
    await Promise.all(published)
    expect(payloads(peer)).toEqual(Array.from({ length: 200 }, (_, at) => String(at)))
  })

  it('the oldest messages make room when the outbox is full, and both their senders and the events say so', async () => {
    const peer = await startPeer()
    const connection = await connect(peer, { backoff: () => 50, outbox: { maxMessages: 3 } })
    const dropped: string[] = []
    connection.on('dropped', ({ topic }) => dropped.push(topic))
    peer.drop()
    await once(connection, 'offline')
    const published = ['a', 'b', 'c', 'd', 'e'].map(async (topic) => connection.publish(topic, ''))
    const results = await Promise.allSettled(published)
    expect(results.map(({ status }) => status)).toEqual([
      'rejected',
      'rejected',
      'fulfilled',
      'fulfilled',
      'fulfilled',
    ])
    expect(results[0]).toMatchObject({ reason: { code: 'publish-dropped' } })
    expect(dropped).toEqual(['a', 'b'])
    expect(peer.publishes().map(({ topic }) => topic)).toEqual(['c', 'd', 'e'])
  })

  it('what is left is rejected by close()', async () => {
    const peer = await startPeer()
    const connection = await connect(peer, { backoff: () => 3_600_000 })
    peer.drop()
    await once(connection, 'offline')
    const published = codeOf(connection.publish('t', ''))
    const subscribed = codeOf(connection.subscribe('t'))
    await expect(connection.close()).resolves.toEqual({ undelivered: 1 })
    expect(await published).toBe('connection-closed')
    expect(await subscribed).toBe('connection-closed')
  })

  it('the reason is told', async () => {
    const peer = await startPeer()
    const connection = await connect(peer, { backoff: () => 7 })
    peer.drop()
    const [reason, retryInMs] = await once(connection, 'offline')
    expect(reason).toBeInstanceOf(DeviceClientError)
    expect(['connection-lost', 'network-failed']).toContain((reason as DeviceClientError).code)
    expect(retryInMs).toBe(7)
  })

  it('a refused identity is tried again only as often as the back-off allows at most', async () => {
    const peer = await startPeer()
    const attempts: number[] = []
    const connection = await connect(peer, {
      backoff: (attempt) => {
        attempts.push(attempt)
        return 0
      },
    })
    peer.script.connack = 5
    peer.drop()
    const reasons: string[] = []
    connection.on('offline', ({ code }) => {
      reasons.push(code)
      if (reasons.length === 2) peer.script.connack = 0
    })
    await once(connection, 'online')
    expect(reasons[1]).toBe('connect-refused')
    expect(attempts).toEqual([0, 64])
  })
})

describe('publish', () => {
  it('gives up after its timeout, while the message may still arrive', async () => {
    const peer = await startPeer()
    peer.script.puback = () => 'withhold'
    const connection = await connect(peer)
    await expect(connection.publish('t', '', { timeoutMs: 20 })).rejects.toMatchObject({
      code: 'publish-timed-out',
    })
    peer.script.puback = () => 'send'
    peer.drop()
    await once(connection, 'online')
    await connection.publish('t', 'next')
    // What was given up is not sent again.
    expect(payloads(peer)).toEqual(['', 'next'])
  })

  it('opens a new connection when a broker stops to acknowledge', async () => {
    const peer = await startPeer()
    peer.script.puback = () => 'withhold'
    const connection = await connect(peer, { ackTimeoutMs: 30 })
    const published = connection.publish('t', 'x')
    const [reason] = await once(connection, 'offline')
    expect(reason).toMatchObject({
      code: 'connection-lost',
      message: expect.stringContaining('no PUBACK from localhost'),
    })
    peer.script.puback = () => 'send'
    await published
  })

  it('keeps no more than maxInFlight messages unacknowledged at the broker', async () => {
    const peer = await startPeer()
    peer.script.puback = () => 'withhold'
    const connection = await connect(peer, { outbox: { maxInFlight: 2 } })
    const published = ['1', '2', '3'].map(async (payload) => connection.publish('t', payload))
    await peer.until(() => peer.publishes().length === 2)
    peer.script.puback = () => 'send'
    peer.send({ cmd: 'puback', messageId: peer.publishes()[0]?.messageId ?? 0 })
    peer.send({ cmd: 'puback', messageId: peer.publishes()[1]?.messageId ?? 0 })
    await Promise.all(published)
    expect(payloads(peer)).toEqual(['1', '2', '3'])
  })

  it('sends thousands of QoS 0 messages in a row, in order', async () => {
    const peer = await startPeer()
    const connection = await connect(peer, { outbox: { maxMessages: 20_000 } })
    const sent = Array.from({ length: 5_000 }, (_, at) => String(at))
    await Promise.all(sent.map(async (payload) => connection.publish('t', payload, { qos: 0 })))
    await peer.until(() => peer.publishes().length === 5_000)
    expect(payloads(peer)).toEqual(sent)
  })

  it('refuses what the broker would hang up for', async () => {
    const peer = await startPeer()
    const connection = await connect(peer)
    await expect(connection.publish('t', Buffer.alloc(128 * 1024))).rejects.toMatchObject({
      code: 'publish-too-large',
      message: 'the message for t has 131082 bytes, 131072 are allowed: split it',
    })
    await expect(connection.publish('a/#', '')).rejects.toMatchObject({
      code: 'option-invalid',
      message: 'topic holds a wildcard, which only filters may',
    })
    await expect(connection.publish('', '')).rejects.toMatchObject({ message: 'topic is empty' })
    expect(connection.online).toBe(true)
  })
})

describe('subscribe', () => {
  it('throws when the broker refuses the filter', async () => {
    const peer = await startPeer()
    peer.script.suback = () => 128
    const connection = await connect(peer)
    await expect(connection.subscribe('devices/#')).rejects.toMatchObject({
      code: 'subscribe-refused',
      message:
        'the broker refused to subscribe devices/#: the policy must allow this identity the whole filter',
    })
  })

  it('tells the QoS that was granted', async () => {
    const peer = await startPeer()
    peer.script.suback = () => 0
    await expect((await connect(peer)).subscribe('a', { qos: 1 })).resolves.toBe(0)
  })

  it('is repeated on the next connection, and until it is answered', async () => {
    const peer = await startPeer()
    let answers = 0
    peer.script.suback = () => {
      answers += 1
      return answers === 1 ? 'drop' : 1
    }
    const connection = await connect(peer)
    await expect(connection.subscribe('a')).resolves.toBe(1)
    peer.drop()
    await peer.until(() => answers === 3)
  })

  it('is not repeated where the broker kept the session', async () => {
    const peer = await startPeer()
    const connection = await connect(peer, { clean: false })
    await connection.subscribe('a')
    peer.script.sessionPresent = true
    peer.drop()
    await once(connection, 'online')
    await connection.publish('t', '')
    expect(peer.received.filter(({ cmd }) => cmd === 'subscribe')).toHaveLength(1)
  })

  it('tells when it is refused later', async () => {
    const peer = await startPeer()
    const connection = await connect(peer)
    await connection.subscribe('a')
    peer.script.suback = () => 128
    peer.drop()
    const [problem] = await once(connection, 'problem')
    expect(problem).toMatchObject({ code: 'subscribe-refused' })
  })

  it.each(['', 'a/#/b', 'a#', 'a/b+', 'a\0'])('refuses the filter %j', async (filter) => {
    const connection = await connect(await startPeer())
    await expect(connection.subscribe(filter)).rejects.toMatchObject({ code: 'option-invalid' })
  })
})

describe('a handler that throws', () => {
  it('is a problem, and harms neither the connection nor other handlers', async () => {
    const peer = await startPeer()
    const connection = await connect(peer)
    const arrived: string[] = []
    connection.onMessage(() => {
      throw new Error('handler’s own')
    })
    connection.onMessage(({ topic }) => arrived.push(topic))
    const problem = once(connection, 'problem')
    peer.send({ cmd: 'publish', topic: 'a', payload: '', qos: 0, dup: false, retain: false })
    expect((await problem)[0]).toMatchObject({
      code: 'handler-failed',
      message: 'a message handler threw: handler’s own',
    })
    expect([arrived, connection.online]).toEqual([['a'], true])
  })
})

describe('the will', () => {
  it('is in the CONNECT', async () => {
    const peer = await startPeer()
    await connect(peer, { will: { topic: 'devices/dev-1/state', payload: 'gone', retain: true } })
    const [{ will } = {}] = peer.connects()
    expect({ ...will, payload: will?.payload.toString() }).toMatchObject({
      topic: 'devices/dev-1/state',
      payload: 'gone',
      qos: 1,
      retain: true,
    })
  })

  it('cannot be for a filter', async () => {
    const peer = await startPeer()
    await expect(connect(peer, { will: { topic: 'a/+', payload: '' } })).rejects.toMatchObject({
      message: 'will topic holds a wildcard, which only filters may',
    })
  })
})

describe('replaceIdentity', () => {
  it('reconnects with the new certificate, without the old TLS session, and loses nothing', async () => {
    const peer = await startPeer()
    const connection = await connect(peer)
    await connection.subscribe('a')
    const renewed = await authority.device('dev-1')
    const published = Array.from({ length: 20 }, async (_, at) => connection.publish('t', String(at)))
    await connection.replaceIdentity(renewed)
    await Promise.all(published)
    expect(peer.handshakes.map(({ serial }) => serial)).toEqual([
      device.certificate.serial,
      renewed.certificate.serial,
    ])
    expect(peer.handshakes[1]?.resumed).toBe(false)
    expect(new Set(payloads(peer)).size).toBe(20)
    await peer.until(() => peer.received.filter(({ cmd }) => cmd === 'subscribe').length === 2)
  })

  it('ends a long wait for the next attempt', async () => {
    const peer = await startPeer()
    const connection = await connect(peer, { backoff: () => 3_600_000 })
    peer.drop()
    await once(connection, 'offline')
    await connection.replaceIdentity(await authority.device('dev-1'))
    expect(connection.online).toBe(true)
  })

  it('refuses the identity of another device and a pair that is none, and stays connected', async () => {
    const connection = await connect(await startPeer())
    const other = await authority.device('dev-2')
    await expect(connection.replaceIdentity(other)).rejects.toMatchObject({ code: 'option-invalid' })
    await expect(connection.replaceIdentity({ key: other.key, cert: device.cert })).rejects.toMatchObject({
      code: 'option-invalid',
    })
    expect(connection.online).toBe(true)
  })

  it('is rejected when the connection is closed meanwhile', async () => {
    const peer = await startPeer()
    const connection = await connect(peer, { backoff: () => 3_600_000 })
    peer.script.connack = 'silent'
    const replaced = codeOf(connection.replaceIdentity(await authority.device('dev-1')))
    await peer.until(() => peer.connects().length === 2)
    await connection.close()
    expect(await replaced).toBe('connection-closed')
  })
})

describe('a server that changes its certificate to one for another host', () => {
  it('is not connected to again', async () => {
    const peer = await startPeer()
    const connection = await connect(peer, { backoff: (attempt) => (attempt === 0 ? 0 : 3_600_000) })
    await connection.publish('t', '')
    peer.setIdentity(await authority.server({ dns: ['other.test'], ip: [] }))
    peer.drop()
    await once(connection, 'offline')
    const [reason] = await once(connection, 'offline')
    expect(reason).toMatchObject({ code: 'tls-failed', tlsCode: 'wrong-host-name' })
  })
})

describe('close', () => {
  it('does not wait for ever for a broker that does not acknowledge', async () => {
    const peer = await startPeer()
    peer.script.puback = () => 'withhold'
    const connection = await connect(peer)
    const published = codeOf(connection.publish('t', ''))
    await expect(connection.close({ timeoutMs: 20 })).resolves.toEqual({ undelivered: 1 })
    expect(await published).toBe('connection-closed')
    await peer.until(() => peer.open.size === 0)
  })
})
