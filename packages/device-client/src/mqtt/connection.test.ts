import { once } from 'node:events'

import { describe, expect, it } from 'vitest'

import { codeOf, mqttBench, payloads } from '../testing/mqtt-bench.ts'
import type { Message } from './message.ts'

const bench = mqttBench()

describe.each(['mqtts', 'wss'] as const)('a connection over %s', (transport) => {
  it('connects as the device id of its certificate, publishes and resolves on PUBACK', async () => {
    const peer = await bench.startPeer({ transport })
    peer.script.puback = () => 'withhold'
    const connection = await bench.connect(peer, { keepaliveSeconds: 17 })
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
    const peer = await bench.startPeer({ transport })
    const connection = await bench.connect(peer)
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
    const peer = await bench.startPeer({ transport })
    const connection = await bench.connect(peer)
    const published = connection.publish('t', 'last')
    await expect(connection.close()).resolves.toEqual({ undelivered: 0 })
    await published
    expect(peer.received.map(({ cmd }) => cmd)).toEqual(['connect', 'publish', 'disconnect'])
    await expect(connection.publish('t', 'later')).rejects.toMatchObject({ code: 'connection-closed' })
    await expect(connection.close()).resolves.toEqual({ undelivered: 0 })
  })

  it('reconnects, resumes TLS and sends again what was not acknowledged, with its identifier, DUP and order', async () => {
    const peer = await bench.startPeer({ transport })
    const connection = await bench.connect(peer)
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

describe('a handler that throws', () => {
  it('is a problem, and harms neither the connection nor other handlers', async () => {
    const peer = await bench.startPeer()
    const connection = await bench.connect(peer)
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
    const peer = await bench.startPeer()
    await bench.connect(peer, { will: { topic: 'devices/dev-1/state', payload: 'gone', retain: true } })
    const [{ will } = {}] = peer.connects()
    expect({ ...will, payload: will?.payload.toString() }).toMatchObject({
      topic: 'devices/dev-1/state',
      payload: 'gone',
      qos: 1,
      retain: true,
    })
  })

  it('cannot be for a filter', async () => {
    const peer = await bench.startPeer()
    await expect(bench.connect(peer, { will: { topic: 'a/+', payload: '' } })).rejects.toMatchObject({
      message: 'will topic holds a wildcard, which only filters may',
    })
  })
})

describe('close', () => {
  it('does not wait for ever for a broker that does not acknowledge', async () => {
    const peer = await bench.startPeer()
    peer.script.puback = () => 'withhold'
    const connection = await bench.connect(peer)
    const published = codeOf(connection.publish('t', ''))
    await expect(connection.close({ timeoutMs: 20 })).resolves.toEqual({ undelivered: 1 })
    expect(await published).toBe('connection-closed')
    await peer.until(() => peer.open.size === 0)
  })
})
