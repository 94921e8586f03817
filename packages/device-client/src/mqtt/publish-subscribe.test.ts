import { once } from 'node:events'

import { describe, expect, it } from 'vitest'

import { mqttBench, payloads } from '../testing/mqtt-bench.ts'

const bench = mqttBench()

describe('publish', () => {
  it('gives up after its timeout, while the message may still arrive', async () => {
    const peer = await bench.startPeer()
    peer.script.puback = () => 'withhold'
    const connection = await bench.connect(peer)
    await expect(connection.publish('t', '', { timeoutMs: 20 })).rejects.toMatchObject({
      code: 'publish-timed-out',
    })
    await peer.until(() => peer.publishes().length === 1)
    peer.script.puback = () => 'send'
    peer.drop()
    await once(connection, 'online')
    await connection.publish('t', 'next')
    // What was given up is not sent again.
    expect(payloads(peer)).toEqual(['', 'next'])
  })

  it('opens a new connection when a broker stops to acknowledge', async () => {
    const peer = await bench.startPeer()
    peer.script.puback = () => 'withhold'
    const connection = await bench.connect(peer, { ackTimeoutMs: 30 })
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
    const peer = await bench.startPeer()
    peer.script.puback = () => 'withhold'
    const connection = await bench.connect(peer, { outbox: { maxInFlight: 2 } })
    const published = ['1', '2', '3'].map(async (payload) => connection.publish('t', payload))
    await peer.until(() => peer.publishes().length === 2)
    peer.script.puback = () => 'send'
    peer.send({ cmd: 'puback', messageId: peer.publishes()[0]?.messageId ?? 0 })
    peer.send({ cmd: 'puback', messageId: peer.publishes()[1]?.messageId ?? 0 })
    await Promise.all(published)
    expect(payloads(peer)).toEqual(['1', '2', '3'])
  })

  it('sends thousands of QoS 0 messages in a row, in order', async () => {
    const peer = await bench.startPeer()
    const connection = await bench.connect(peer, { outbox: { maxMessages: 20_000 } })
    const sent = Array.from({ length: 5_000 }, (_, at) => String(at))
    await Promise.all(sent.map(async (payload) => connection.publish('t', payload, { qos: 0 })))
    await peer.until(() => peer.publishes().length === 5_000)
    expect(payloads(peer)).toEqual(sent)
  })

  it('refuses what the broker would hang up for', async () => {
    const peer = await bench.startPeer()
    const connection = await bench.connect(peer)
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
    const peer = await bench.startPeer()
    peer.script.suback = () => 128
    const connection = await bench.connect(peer)
    await expect(connection.subscribe('devices/#')).rejects.toMatchObject({
      code: 'subscribe-refused',
      message:
        'the broker refused to subscribe devices/#: the policy must allow this identity the whole filter',
    })
  })

  it('tells the QoS that was granted', async () => {
    const peer = await bench.startPeer()
    peer.script.suback = () => 0
    await expect((await bench.connect(peer)).subscribe('a', { qos: 1 })).resolves.toBe(0)
  })

  it('is repeated on the next connection, and until it is answered', async () => {
    const peer = await bench.startPeer()
    let answers = 0
    peer.script.suback = () => {
      answers += 1
      return answers === 1 ? 'drop' : 1
    }
    const connection = await bench.connect(peer)
    await expect(connection.subscribe('a')).resolves.toBe(1)
    peer.drop()
    await peer.until(() => answers === 3)
  })

  it('is not repeated where the broker kept the session', async () => {
    const peer = await bench.startPeer()
    const connection = await bench.connect(peer, { clean: false })
    await connection.subscribe('a')
    peer.script.sessionPresent = true
    peer.drop()
    await once(connection, 'online')
    await connection.publish('t', '')
    expect(peer.received.filter(({ cmd }) => cmd === 'subscribe')).toHaveLength(1)
  })

  it('tells when it is refused later', async () => {
    const peer = await bench.startPeer()
    const connection = await bench.connect(peer)
    await connection.subscribe('a')
    peer.script.suback = () => 128
    peer.drop()
    const [problem] = await once(connection, 'problem')
    expect(problem).toMatchObject({ code: 'subscribe-refused' })
  })

  it.each(['', 'a/#/b', 'a#', 'a/b+', 'a\0'])('refuses the filter %j', async (filter) => {
    const connection = await bench.connect(await bench.startPeer())
    await expect(connection.subscribe(filter)).rejects.toMatchObject({ code: 'option-invalid' })
  })
})
