import { once } from 'node:events'

import { describe, expect, it } from 'vitest'

import { DeviceClientError } from '../error.ts'
import { createAuthority } from '../testing/authority.ts'
import { codeOf, mqttBench, payloads } from '../testing/mqtt-bench.ts'

const bench = mqttBench()

describe('while offline', () => {
  it('messages wait, arrive in order and once', async () => {
    const peer = await bench.startPeer()
    let waitMs = 0
    const connection = await bench.connect(peer, { backoff: () => waitMs })
    waitMs = 50
    peer.drop()
    await once(connection, 'offline')
    const published = Array.from({ length: 200 }, async (_, at) => connection.publish('t', String(at)))
    expect(connection.online).toBe(false)
    await Promise.all(published)
    expect(payloads(peer)).toEqual(Array.from({ length: 200 }, (_, at) => String(at)))
  })

  it('the oldest messages make room when the outbox is full, and both their senders and the events say so', async () => {
    const peer = await bench.startPeer()
    const connection = await bench.connect(peer, { backoff: () => 50, outbox: { maxMessages: 3 } })
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
    const peer = await bench.startPeer()
    const connection = await bench.connect(peer, { backoff: () => 3_600_000 })
    peer.drop()
    await once(connection, 'offline')
    const published = codeOf(connection.publish('t', ''))
    const subscribed = codeOf(connection.subscribe('t'))
    await expect(connection.close()).resolves.toEqual({ undelivered: 1 })
    expect(await published).toBe('connection-closed')
    expect(await subscribed).toBe('connection-closed')
  })

  it('a listener of the event may close the connection, which then does not wait for the next attempt', async () => {
    const peer = await bench.startPeer()
    const connection = await bench.connect(peer, { backoff: () => 3_600_000 })
    const closed = new Promise((resolve) => {
      connection.once('offline', () => resolve(connection.close()))
    })
    peer.drop()
    await expect(closed).resolves.toEqual({ undelivered: 0 })
  })

  it('the reason is told', async () => {
    const peer = await bench.startPeer()
    const connection = await bench.connect(peer, { backoff: () => 7 })
    peer.drop()
    const [reason, retryInMs] = await once(connection, 'offline')
    expect(reason).toBeInstanceOf(DeviceClientError)
    expect(['connection-lost', 'network-failed']).toContain((reason as DeviceClientError).code)
    expect(retryInMs).toBe(7)
  })

  it('a refused identity is tried again only as often as the back-off allows at most', async () => {
    const peer = await bench.startPeer()
    const attempts: number[] = []
    const connection = await bench.connect(peer, {
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

describe('a listener that throws', () => {
  it.each(['online', 'offline'] as const)('of %s is a problem, and the connection goes on', async (event) => {
    const peer = await bench.startPeer()
    const connection = await bench.connect(peer)
    connection.once(event, () => {
      throw new TypeError('no such field')
    })
    peer.drop()
    const [problem] = await once(connection, 'problem')
    expect(problem).toMatchObject({
      code: 'handler-failed',
      message: `a listener of ${event} threw: no such field`,
    })
    await connection.publish('t', 'still here')
    expect(payloads(peer)).toEqual(['still here'])
  })
})

describe('replaceIdentity', () => {
  it('reconnects with the new certificate, without the old TLS session, and loses nothing', async () => {
    const peer = await bench.startPeer()
    const connection = await bench.connect(peer)
    await connection.subscribe('a')
    const renewed = await bench.authority.device('dev-1')
    const published = Array.from({ length: 20 }, async (_, at) => connection.publish('t', String(at)))
    await connection.replaceIdentity(renewed)
    await Promise.all(published)
    expect(peer.handshakes.map(({ serial }) => serial)).toEqual([
      bench.device.certificate.serial,
      renewed.certificate.serial,
    ])
    expect(peer.handshakes[1]?.resumed).toBe(false)
    expect(new Set(payloads(peer)).size).toBe(20)
    await peer.until(() => peer.received.filter(({ cmd }) => cmd === 'subscribe').length === 2)
  })

  it('ends a long wait for the next attempt', async () => {
    const peer = await bench.startPeer()
    const connection = await bench.connect(peer, { backoff: () => 3_600_000 })
    peer.drop()
    await once(connection, 'offline')
    await connection.replaceIdentity(await bench.authority.device('dev-1'))
    expect(connection.online).toBe(true)
  })

  it('refuses the identity of another device and a pair that is none, and stays connected', async () => {
    const connection = await bench.connect(await bench.startPeer())
    const other = await bench.authority.device('dev-2')
    await expect(connection.replaceIdentity(other)).rejects.toMatchObject({ code: 'option-invalid' })
    await expect(
      connection.replaceIdentity({ key: other.key, cert: bench.device.cert }),
    ).rejects.toMatchObject({
      code: 'option-invalid',
    })
    expect(connection.online).toBe(true)
  })

  it('does not touch the connection when the broker refuses the certificate in TLS', async () => {
    const peer = await bench.startPeer()
    const connection = await bench.connect(peer)
    const stranger = await (await createAuthority()).device('dev-1')
    await expect(connection.replaceIdentity(stranger)).rejects.toMatchObject({
      code: 'connection-lost',
      message: expect.stringContaining('which is how some brokers refuse a certificate'),
    })
    expect(connection.online).toBe(true)
    await connection.publish('t', 'still here')
    expect(peer.received.map(({ cmd }) => cmd)).toEqual(['connect', 'publish'])
  })

  it('returns to the identity that was in use when CONNECT is refused, and loses nothing', async () => {
    const peer = await bench.startPeer()
    const connection = await bench.connect(peer, { backoff: () => 3_600_000 })
    const offline: string[] = []
    connection.on('offline', ({ code }) => offline.push(code))
    peer.script.connack = 5
    const refused = peer.until(() => peer.connects().length === 2).then(() => (peer.script.connack = 0))
    const replaced = codeOf(connection.replaceIdentity(await bench.authority.device('dev-1')))
    const published = Array.from({ length: 20 }, async (_, at) => connection.publish('t', String(at)))
    expect(await replaced).toBe('connect-refused')
    await refused
    await Promise.all(published)
    expect(new Set(payloads(peer)).size).toBe(20)
    await connection.publish('t', 'back')
    expect(peer.handshakes.at(-1)?.serial).toBe(bench.device.certificate.serial)
    expect(offline).toEqual([])
  })

  it('is rejected while the broker cannot be reached, and changes nothing', async () => {
    const peer = await bench.startPeer()
    const connection = await bench.connect(peer, { backoff: () => 3_600_000 })
    const offline = once(connection, 'offline')
    await peer.close()
    await offline
    const renewed = await bench.authority.device('dev-1')
    expect(await codeOf(connection.replaceIdentity(renewed))).toBe('network-failed')
  })

  it('takes one identity at a time', async () => {
    const connection = await bench.connect(await bench.startPeer())
    const leaves = await Promise.all([bench.authority.device('dev-1'), bench.authority.device('dev-1')])
    const codes = await Promise.all(leaves.map(async (leaf) => codeOf(connection.replaceIdentity(leaf))))
    expect(codes.toSorted()).toEqual(['no failure', 'option-invalid'])
    expect(connection.online).toBe(true)
  })

  it('is rejected when the connection is closed meanwhile', async () => {
    const peer = await bench.startPeer()
    const connection = await bench.connect(peer, { backoff: () => 3_600_000 })
    peer.script.connack = 'silent'
    const replaced = codeOf(connection.replaceIdentity(await bench.authority.device('dev-1')))
    await peer.until(() => peer.connects().length === 2)
    await connection.close()
    expect(await replaced).toBe('connection-closed')
  })
})

describe('a server that changes its certificate to one for another host', () => {
  it('is not connected to again', async () => {
    const peer = await bench.startPeer()
    const connection = await bench.connect(peer, { backoff: (attempt) => (attempt === 0 ? 0 : 3_600_000) })
    await connection.publish('t', '')
    peer.setIdentity(await bench.authority.server({ dns: ['other.test'], ip: [] }))
    peer.drop()
    await once(connection, 'offline')
    const [reason] = await once(connection, 'offline')
    expect(reason).toMatchObject({ code: 'tls-failed', tlsCode: 'wrong-host-name' })
  })
})
