import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:tls'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { beforeAll, describe, expect, test } from 'vitest'
import { createFleet } from '../testing/fleet.ts'
import type { Fleet, Leaf } from '../testing/fleet.ts'
import { handshake } from '../testing/handshake.ts'
import { unusualCertificate } from '../testing/unusual-certificate.ts'
import { clientTlsOptions } from './client.ts'
import type { ClientTlsSettings } from './client.ts'
import type { TlsMode } from './protocol.ts'
import { serverTlsOptions } from './server.ts'

let fleet: Fleet
let server: Leaf
let leaf: Leaf
beforeAll(async () => {
  fleet = await createFleet()
  server = await fleet.issueServer()
  leaf = await fleet.issue()
})

function listen(mode: TlsMode = 'compatible', trust = fleet.trust, identity = server) {
  return serverTlsOptions({ identity, trust, mode, clientCertificate: 'required' })
}

function dial(settings: Partial<ClientTlsSettings> = {}): ConnectionOptions {
  return clientTlsOptions({ trust: fleet.trust, identity: leaf, mode: 'compatible', ...settings })
}

const cipher = (socket: TLSSocket) => `${socket.getProtocol()} ${socket.getCipher().standardName}`

describe('whom a client wants to reach', () => {
  const service = { role: 'service', id: 'server' } as const

  test.each(['TLSv1.3', 'TLSv1.2'] as const)(
    'is who has the name and the identity, over %s',
    async (version) => {
      const right = { ...dial({ server: service }), maxVersion: version }
      expect((await handshake(listen(), right, cipher)).seen).toMatch(version)
      const wrong = { ...dial({ server: { ...service, id: 'enrollment-server' } }), maxVersion: version }
      const { client } = await handshake(listen(), wrong)
      expect(client?.code).toBe('wrong-server')
      expect(client?.sentence).toMatch(
        /names the service server, not the service enrollment-server: check the address/,
      )
    },
  )

  test('is not a device of that id, nor somebody without an identity', async () => {
    const device = { ...dial({ server: { role: 'device', id: 'server' } }) }
    expect((await handshake(listen(), device)).client?.code).toBe('wrong-server')
    const ask = clientTlsOptions({
      trust: fleet.trust,
      mode: 'compatible',
      server: service,
    }).checkServerIdentity!
    const names = { subjectaltname: 'DNS:localhost', subject: {} }
    for (const raw of [Buffer.from('no certificate'), fleet.root.certificate.der]) {
      expect(ask('localhost', { ...names, raw } as never)).toMatchObject({ code: 'ERR_TLS_SERVER_IDENTITY' })
    }
    expect(ask('localhost', { ...names, raw: server.certificate.der } as never)).toBeUndefined()
    expect(ask('elsewhere', { ...names, raw: server.certificate.der } as never)).toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    })
  })
})

describe('protocol', () => {
  test.each<TlsMode>(['compatible', 'strict'])('%s agrees on TLS 1.3 and AES-256-GCM', async (mode) => {
    const { seen } = await handshake(listen(mode), dial({ mode }), cipher)
    expect(seen).toBe('TLSv1.3 TLS_AES_256_GCM_SHA384')
  })

  test('compatible takes a TLS 1.2 client, strict refuses it', async () => {
    const old = { ...dial(), maxVersion: 'TLSv1.2' } as const
    expect((await handshake(listen(), old, cipher)).seen).toBe(
      'TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384',
    )
    expect((await handshake(listen('strict'), old)).server?.code).toBe('protocol-version')
  })

  test('strict refuses a TLS 1.2 server', async () => {
    const old = { ...listen(), maxVersion: 'TLSv1.2' } as const
    expect((await handshake(old, dial({ mode: 'strict' }))).client?.code).toBe('protocol-version')
  })

  test('a client that prefers ChaCha20 gets it, one that prefers AES-128 does not', async () => {
    const order = (first: string) => ({ ...dial(), ciphers: `${first}:TLS_AES_256_GCM_SHA384` })
    const chacha = await handshake(listen(), order('TLS_CHACHA20_POLY1305_SHA256'), cipher)
    expect(chacha.seen).toBe('TLSv1.3 TLS_CHACHA20_POLY1305_SHA256')
    const aes = await handshake(listen(), order('TLS_AES_128_GCM_SHA256'), cipher)
    expect(aes.seen).toBe('TLSv1.3 TLS_AES_256_GCM_SHA384')
  })

  test('a server waits 10 s for a handshake and resumes sessions for 5 minutes', () => {
    expect(listen()).toMatchObject({ handshakeTimeout: 10_000, sessionTimeout: 300 })
  })

  test('a client may not renegotiate', async () => {
    const listener = createServer(listen(), (socket) => socket.on('error', () => {}).resume())
    await once(listener.listen(0, '127.0.0.1'), 'listening')
    const { port } = listener.address() as AddressInfo
    // Without our client options, which would not even ask.
    const plain = {
      trust: undefined,
      key: leaf.key,
      cert: leaf.cert,
      ca: fleet.trust,
      maxVersion: 'TLSv1.2',
    } as const
    const client = connect({ host: '127.0.0.1', port, servername: 'localhost', ...plain })
    await once(client, 'secureConnect')
    const error = await new Promise<Error | null>((resolve) => {
      client.on('error', resolve)
      client.renegotiate({}, resolve)
    })
    expect(error?.message).toContain('no renegotiation')
    client.destroy()
    listener.close()
    await once(listener, 'close')
  })
})

describe('names', () => {
  test('an IP address is checked against the IP addresses of the certificate', async () => {
    const good = { ...dial({ serverName: '127.0.0.1' }), servername: '' }
    expect((await handshake(listen(), good)).client).toBeUndefined()
    const bad = { ...dial({ serverName: '127.0.0.2' }), servername: '' }
    expect((await handshake(listen(), bad)).client?.code).toBe('wrong-host-name')
  })

  test('a CN is no host name', async () => {
    const { code } = await unnamedServer()
    expect(code).toBe('wrong-host-name')
  })

  async function unnamedServer() {
    const subject = [[{ type: '2.5.4.3', value: 'localhost', encoding: 'utf8' }]] as const
    const identity = await unusualCertificate(fleet.services, { subject, extendedKeyUsage: ['serverAuth'] })
    const { client } = await handshake(
      serverTlsOptions({ identity, trust: fleet.trust, mode: 'compatible', clientCertificate: 'required' }),
      dial(),
    )
    return client ?? { code: 'accepted' }
  }
})

describe('trust', () => {
  test('a client that sends its leaf alone is verified where the issuing CA is among the anchors', async () => {
    const alone = dial({ identity: { key: leaf.key, cert: leaf.certificate.pem } })
    expect((await handshake(listen(), alone)).server?.code).toBe('unknown-authority')
    const trust = [...fleet.trust, fleet.devices.certificate.pem]
    expect((await handshake(listen('compatible', trust), alone)).server).toBeUndefined()
  })

  test('an issuing CA without its root is no anchor', async () => {
    const trust = [fleet.devices.certificate.pem]
    expect((await handshake(listen('compatible', trust), dial())).server?.code).toBe('unknown-authority')
  })
})
