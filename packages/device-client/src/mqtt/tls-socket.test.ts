import { once } from 'node:events'
import type { TLSSocket } from 'node:tls'

import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'

import { type Authority, createAuthority } from '../testing/authority.ts'
import { type MqttPeer, startMqttPeer } from '../testing/mqtt-peer.ts'
import { type BrokerTls, brokerTls, openTlsSocket } from './tls-socket.ts'

let authority: Authority
let peer: MqttPeer
let tls: BrokerTls
const sockets: TLSSocket[] = []

beforeAll(async () => {
  authority = await createAuthority()
})

beforeEach(async () => {
  peer = await startMqttPeer(authority)
  const identity = await authority.device('dev-1')
  tls = brokerTls({ trust: authority.trust, identity, mode: 'compatible' })
})

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await peer.close()
})

async function open(signal = new AbortController().signal): Promise<TLSSocket> {
  const socket = await openTlsSocket(new URL(peer.url), tls, 10_000, signal)
  sockets.push(socket)
  return socket
}

/** Opens and waits for the session ticket. */
async function openAndRemember(): Promise<TLSSocket> {
  const socket = await open()
  if (!tls.session) await once(socket, 'session')
  return socket
}

describe('a TLS connection to the broker', () => {
  it('verifies the server and resumes the session the next time', async () => {
    expect((await openAndRemember()).isSessionReused()).toBe(false)
    expect((await open()).isSessionReused()).toBe(true)
  })

  it('makes a full handshake once the certificate that the session began with has expired', async () => {
    await openAndRemember()
    tls.session = { ticket: tls.session?.ticket ?? Buffer.of(), serverNotAfterMs: Date.now() - 1 }
    expect((await open()).isSessionReused()).toBe(false)
  })

  it('keeps the expiry of that certificate when it resumes, since a resumed session shows none', async () => {
    // Its second ticket must not come in between.
    const first = await openAndRemember()
    first.destroy()
    await once(first, 'close')
    const ticket = tls.session?.ticket ?? Buffer.of()
    const serverNotAfterMs = Date.now() + 3_600_000
    tls.session = { ticket, serverNotAfterMs }
    expect((await open()).isSessionReused()).toBe(true)
    expect(tls.session.serverNotAfterMs).toBe(serverNotAfterMs)
  })

  it('forgets a session with which the connection failed', async () => {
    await openAndRemember()
    peer.setIdentity(await authority.server({ dns: ['other.test'], ip: [] }))
    await expect(open()).rejects.toMatchObject({ code: 'tls-failed', tlsCode: 'wrong-host-name' })
    expect(tls.session).toBeUndefined()
  })

  it('is not opened any more once it is aborted', async () => {
    await expect(open(AbortSignal.abort())).rejects.toMatchObject({ code: 'aborted' })
    expect(peer.handshakes).toEqual([])
  })

  it('needs a key and a certificate that belong together', async () => {
    const [one, other] = [await authority.device('dev-1'), await authority.device('dev-1')]
    const identity = { key: one.key, cert: other.cert }
    expect(() => brokerTls({ trust: authority.trust, identity, mode: 'compatible' })).toThrow(
      expect.objectContaining({ code: 'option-invalid' }),
    )
  })
})
