import { describe, expect, it } from 'vitest'

import { createAuthority } from '../testing/authority.ts'
import { codeOf, mqttBench } from '../testing/mqtt-bench.ts'
import { connectMqtt } from './connect.ts'

const bench = mqttBench()

describe('the first connection', () => {
  it.each([
    [1, 'connect-refused', 'it does not speak MQTT 3.1.1'],
    [2, 'connect-refused', 'this identity may not use this client id'],
    [3, 'server-failed', 'it is not available now'],
    [5, 'connect-refused', 'this identity is not authorized'],
  ])('says what CONNACK %i means', async (connack, code, words) => {
    const peer = await bench.startPeer()
    peer.script.connack = connack
    await expect(bench.connect(peer)).rejects.toMatchObject({
      code,
      status: connack,
      message: expect.stringContaining(words),
    })
  })

  it('is refused without a trusted client certificate, and a broker that says nothing is explained', async () => {
    const peer = await bench.startPeer()
    const stranger = await (await createAuthority()).device('dev-1')
    await expect(bench.connect(peer, { identity: stranger })).rejects.toMatchObject({
      code: 'connection-lost',
      message: expect.stringContaining('before CONNACK, which is how some brokers refuse a certificate'),
    })
    expect(peer.received).toEqual([])
  })

  it('is not made to a server of another CA of the same name: not even CONNECT is sent', async () => {
    const peer = await bench.startPeer()
    const fake = await createAuthority()
    await expect(bench.connect(peer, { trust: fake.trust })).rejects.toMatchObject({ code: 'tls-failed' })
    expect(peer.received).toEqual([])
  })

  it('is not made to a server with a certificate for another host', async () => {
    const peer = await bench.startPeer({
      identity: await bench.authority.server({ dns: ['other.test'], ip: [] }),
    })
    await expect(bench.connect(peer)).rejects.toMatchObject({
      code: 'tls-failed',
      tlsCode: 'wrong-host-name',
    })
    await expect(bench.connect(peer, { serverName: 'other.test' })).resolves.toBeDefined()
  })

  it('is not made to another service with the name of the broker, where it is said who the broker is', async () => {
    const server = { role: 'service', id: 'broker' } as const
    const other = await bench.startPeer({ identity: await bench.authority.server({ id: 'dashboard' }) })
    await expect(bench.connect(other, { server })).rejects.toMatchObject({
      code: 'tls-failed',
      tlsCode: 'wrong-server',
    })
    expect(other.received).toEqual([])
    const broker = await bench.startPeer({ identity: await bench.authority.server({ id: 'broker' }) })
    await expect(bench.connect(broker, { server })).resolves.toMatchObject({ online: true })
  })

  it('is given up when CONNACK does not come', async () => {
    const peer = await bench.startPeer()
    peer.script.connack = 'silent'
    await expect(bench.connect(peer, { connectTimeoutMs: 100 })).rejects.toMatchObject({ code: 'timed-out' })
  })

  it('fails at once when nothing listens', async () => {
    const peer = await bench.startPeer()
    await peer.close()
    await expect(bench.connect(peer)).rejects.toMatchObject({ code: 'network-failed' })
  })

  it('is tried again if that is wanted and may help', async () => {
    const peer = await bench.startPeer()
    peer.script.connack = 3
    const attempt = bench.connect(peer, { firstConnection: 'retry' })
    await peer.until(() => peer.connects().length >= 2)
    peer.script.connack = 0
    await expect(attempt).resolves.toMatchObject({ online: true })
  })

  it('is not tried again after a refusal that is final', async () => {
    const peer = await bench.startPeer()
    peer.script.connack = 5
    await expect(bench.connect(peer, { firstConnection: 'retry' })).rejects.toMatchObject({
      code: 'connect-refused',
    })
    expect(peer.connects()).toHaveLength(1)
  })

  it('can be aborted', async () => {
    const peer = await bench.startPeer()
    peer.script.connack = 'silent'
    const abort = new AbortController()
    const attempt = bench.connect(peer, { signal: abort.signal })
    const refused = codeOf(attempt)
    await peer.until(() => peer.connects().length === 1)
    abort.abort()
    expect(await refused).toBe('connection-closed')
  })

  it.each([
    ['mqtt://localhost', 'the URL begins with mqtt://: it must be mqtts:// or wss://'],
    ['ws://localhost', 'the URL begins with ws://: it must be mqtts:// or wss://'],
  ])('is never in plaintext: %s is refused', async (url, message) => {
    await expect(
      connectMqtt({ url, trust: bench.authority.trust, identity: bench.device }),
    ).rejects.toMatchObject({
      code: 'url-invalid',
      message,
    })
  })
})
