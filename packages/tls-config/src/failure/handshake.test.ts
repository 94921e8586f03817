import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import type { AddressInfo } from 'node:net'
import { createSecureContext, createServer } from 'node:tls'
import type { SecureVersion, TLSSocket } from 'node:tls'
import { defaultProfiles, nameOf } from '@fleetroot/pki'
import { beforeAll, describe, expect, test } from 'vitest'
import { clientTlsOptions } from '../options/client.ts'
import { serverTlsOptions } from '../options/server.ts'
import type { KeyAndCertificate } from '../options/protocol.ts'
import { createFleet } from '../testing/fleet.ts'
import type { Fleet, Leaf } from '../testing/fleet.ts'
import { handshake } from '../testing/handshake.ts'
import { unusualCertificate } from '../testing/unusual-certificate.ts'
import { explainTlsFailure } from './explain.ts'

const DAY_MS = 86_400_000
const serverOnly = { ...defaultProfiles.service, extendedKeyUsage: ['serverAuth'] } as const

let fleet: Fleet
let server: Leaf
beforeAll(async () => {
  fleet = await createFleet()
  server = await fleet.issueServer()
})

function listen(identity: KeyAndCertificate = server) {
  const settings = {
    identity,
    trust: fleet.trust,
    mode: 'compatible',
    clientCertificate: 'required',
  } as const
  return serverTlsOptions(settings)
}

function dial(version: SecureVersion, identity?: KeyAndCertificate, trust = fleet.trust) {
  const options = clientTlsOptions({ trust, mode: 'compatible', ...(identity && { identity }) })
  return { ...options, minVersion: version, maxVersion: version }
}

// Only in TLS 1.2 does the client wait for the server's verdict on its certificate before it is connected.
describe.each<SecureVersion>(['TLSv1.2', 'TLSv1.3'])('over %s', (version) => {
  test('a valid certificate on both sides connects', async () => {
    const outcome = await handshake(listen(), dial(version, await fleet.issue()))
    expect(outcome).toMatchObject({ server: undefined, client: undefined })
  })

  test('no certificate', async () => {
    const outcome = await handshake(listen(), dial(version))
    expect(outcome.server).toEqual({
      code: 'no-certificate',
      sentence:
        'The client sent no certificate, and one is required here: enroll it and configure its key and certificate.',
    })
    expect(outcome.client).toEqual(
      version === 'TLSv1.3'
        ? {
            code: 'no-certificate',
            sentence:
              'The server localhost requires a certificate and this side sent none: enroll, and configure key and certificate.',
          }
        : {
            code: 'handshake-refused',
            sentence:
              'The server localhost refused the handshake: it requires a certificate from this side (TLS 1.2 has no other word for that), or shares no cipher suite or group.',
          },
    )
  })

  test('an expired client certificate', async () => {
    const expired = await fleet.issue({ at: new Date(Date.now() - 60 * DAY_MS) })
    const outcome = await handshake(listen(), dial(version, expired))
    expect(outcome.server).toEqual({
      code: 'certificate-expired',
      sentence:
        "The client's certificate or that of a CA above it has expired: renew it, and check the clocks of both machines.",
    })
    expect(outcome.client).toEqual({
      code: 'connection-closed',
      sentence:
        'The server localhost closed the connection without giving a reason, which is how some refuse a certificate: see the log of the server localhost.',
    })
  })

  test('an expired server certificate', async () => {
    const expired = await fleet.issueServer({ at: new Date(Date.now() - 60 * DAY_MS) })
    const outcome = await handshake(listen(expired), dial(version, await fleet.issue()))
    expect(outcome.client).toEqual({
      code: 'certificate-expired',
      sentence:
        "The server localhost's certificate or that of a CA above it has expired: renew it, and check the clocks of both machines.",
    })
  })

  test('a client certificate that is not yet valid', async () => {
    const early = await fleet.issue({ at: new Date(Date.now() + DAY_MS) })
    const outcome = await handshake(listen(), dial(version, early))
    expect(outcome.server).toEqual({
      code: 'certificate-not-yet-valid',
      sentence:
        "The client's certificate or that of a CA above it is not valid yet: check the clocks of both machines.",
    })
  })

  test('a server certificate that is not yet valid', async () => {
    const early = await fleet.issueServer({ at: new Date(Date.now() + DAY_MS) })
    const outcome = await handshake(listen(early), dial(version, await fleet.issue()))
    expect(outcome.client?.code).toBe('certificate-not-yet-valid')
  })

  test('an unknown CA: the client sends its leaf alone and the server does not know the issuing CA', async () => {
    const leaf = await fleet.issue()
    const outcome = await handshake(listen(), dial(version, { ...leaf, cert: leaf.certificate.pem }))
    expect(outcome.server).toEqual({
      code: 'unknown-authority',
      sentence:
        "The client's certificate does not lead to a CA that is trusted here (one of the same name with another key does not count): trust the root CA that it was issued under, and send the issuing CA after the certificate.",
    })
  })

  test('a fake CA of the same name: the whole hierarchy copied, with other keys', async () => {
    const fake = await createFleet()
    const impostor = await fake.issue()
    const whole = { ...impostor, cert: impostor.cert + fake.root.certificate.pem }
    expect((await handshake(listen(), dial(version, impostor))).server?.code).toBe('unknown-authority')
    expect((await handshake(listen(), dial(version, whole))).server?.code).toBe('unknown-authority')
    const outcome = await handshake(listen(await fake.issueServer()), dial(version, await fleet.issue()))
    expect(outcome.client?.code).toBe('unknown-authority')
  })

  test('a fake CA of the same name that also copies the key identifier', async () => {
    const forged = await unusualCertificate(fleet.devices, { forged: true })
    const outcome = await handshake(listen(), dial(version, forged))
    expect(outcome.server).toEqual({
      code: 'fake-authority',
      sentence:
        "The client's certificate was not signed by the CA that it names, the signature does not fit that CA's key: get a certificate from the real CA, and find out who made this one.",
    })
  })

  test('wrong EKU: a server certificate used as a client', async () => {
    const serverCertificate = await fleet.issueServer({ profile: serverOnly })
    const outcome = await handshake(listen(), dial(version, serverCertificate))
    expect(outcome.server).toEqual({
      code: 'wrong-purpose',
      sentence:
        "The client's certificate is not for this side of a connection (extended key usage): use one issued with clientAuth for a client, with serverAuth for a server.",
    })
  })

  test('wrong EKU: a client certificate used as a server', async () => {
    const outcome = await handshake(listen(await fleet.issue()), dial(version, await fleet.issue()))
    expect(outcome.client?.code).toBe('wrong-purpose')
    expect(outcome.client?.sentence).toMatch(/^The server localhost's certificate is not for this side/)
  })

  test('a wrong host name', async () => {
    const options = { ...dial(version, await fleet.issue()), servername: 'broker.example' }
    const outcome = await handshake(listen(), options)
    expect(outcome.client).toEqual({
      code: 'wrong-host-name',
      sentence:
        "The server broker.example's certificate is for other names: connect by a name in its subject alternative names, or issue one with this name.",
    })
  })

  test('a chain too deep: an issuing CA under an issuing CA with pathLen 0', async () => {
    const subordinate = await unusualCertificate(fleet.devices, {
      subject: nameOf({ commonName: 'Sub' }),
      ca: {},
    })
    const leaf = await unusualCertificate(subordinate, {})
    const chain = { key: leaf.key, cert: leaf.cert + fleet.devices.certificate.pem }
    const outcome = await handshake(listen(), dial(version, chain))
    expect(outcome.server).toEqual({
      code: 'chain-too-deep',
      sentence:
        "The client's certificate has more CAs above it than they allow (pathLenConstraint), or a CA that may not be one: issue it directly under the issuing CA.",
    })
  })

  test('a certificate issued by a leaf', async () => {
    const leaf = await unusualCertificate(fleet.devices, { subject: nameOf({ commonName: 'Leaf' }) })
    const child = await unusualCertificate(leaf, {})
    const chain = { key: child.key, cert: child.cert + fleet.devices.certificate.pem }
    const outcome = await handshake(listen(), dial(version, chain))
    expect(outcome.server).toEqual({
      code: 'certificate-rejected',
      sentence:
        "The client's certificate was rejected for a reason that Node does not name: check the file with: openssl verify -x509_strict -CAfile ROOT -untrusted FILE FILE.",
    })
  })

  test('no shared key exchange group', async () => {
    const outcome = await handshake(listen(), { ...dial(version, await fleet.issue()), ecdhCurve: 'P-521' })
    expect(outcome.server?.code).toBe(version === 'TLSv1.3' ? 'no-shared-group' : 'no-shared-cipher')
    expect(outcome.client?.code).toBe('handshake-refused')
  })
})

test('a key of another certificate', async () => {
  const other = await fleet.issueServer()
  const mixed = { key: other.key, cert: server.cert }
  const error = caught(() => createSecureContext(listen(mixed)))
  expect(explainTlsFailure(error, { side: 'server' })).toEqual({
    code: 'key-mismatch',
    sentence:
      'The private key here does not belong to the certificate here: give the key that it was requested with.',
  })
})

test.each<SecureVersion>(['TLSv1', 'TLSv1.1'])('a client that speaks %s at most', async (version) => {
  // OpenSSL itself speaks these only at security level 0.
  const old = { ...dial(version, await fleet.issue()), ciphers: 'DEFAULT@SECLEVEL=0' }
  const outcome = await handshake(listen(), old)
  const rest = ': TLS 1.2 and 1.3 are spoken here, or only 1.3 in strict mode; update '
  expect(outcome.server).toEqual({
    code: 'protocol-version',
    sentence: `The two sides share no TLS version${rest}the client or use compatible mode.`,
  })
  expect(outcome.client?.code).toBe('protocol-version')
})

test('a TLS 1.2 client without an AEAD suite', async () => {
  const old = { ...dial('TLSv1.2', await fleet.issue()), ciphers: 'ECDHE-ECDSA-AES128-SHA' }
  const outcome = await handshake(listen(), old)
  expect(outcome.server).toEqual({
    code: 'no-shared-cipher',
    sentence:
      'The two sides share no cipher suite: the client must offer ECDHE with AES-GCM or ChaCha20-Poly1305.',
  })
})

test.each([
  ['plain HTTP', 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'],
  ['plain MQTT', '\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a'],
])('%s bytes on the TLS port', async (_, bytes) => {
  const failure = await failureOf((port) => connectTcp(port, '127.0.0.1').end(bytes))
  expect(failure).toEqual({
    code: 'not-tls',
    sentence:
      'The client does not speak TLS on this port: use https or mqtts, and the TLS port, on both sides.',
  })
})

test('a bare TCP connection that sends nothing runs into the handshake timeout', async () => {
  const failure = await failureOf((port) => connectTcp(port, '127.0.0.1'), { handshakeTimeout: 20 })
  expect(failure).toEqual({
    code: 'handshake-timeout',
    sentence:
      'The client connected but did not finish the TLS handshake in time: it is overloaded, or does not speak TLS.',
  })
})

/** What a server says about a client that is not a TLS client. */
async function failureOf(open: (port: number) => ReturnType<typeof connectTcp>, more = {}) {
  const listener = createServer({ ...listen(), ...more })
  await once(listener.listen(0, '127.0.0.1'), 'listening')
  const failed = once(listener, 'tlsClientError') as Promise<[Error, TLSSocket]>
  const client = open((listener.address() as AddressInfo).port).on('error', () => {})
  const [error, socket] = await failed
  client.destroy()
  listener.close()
  await once(listener, 'close')
  return explainTlsFailure(error, { side: 'server', socket })
}

function caught(action: () => unknown): unknown {
  try {
    action()
  } catch (error) {
    return error
  }
  return undefined
}
