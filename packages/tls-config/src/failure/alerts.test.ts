import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:tls'
import { expect, test } from 'vitest'
import { explainTlsFailure } from './explain.ts'

const FATAL = 2

/** Node as a server never sends these; OpenSSL's own servers, mosquitto and nginx among them, do. */
test.each([
  [
    42,
    'own-certificate-refused',
    'The server refused the certificate of this side without saying why: see the log of the server.',
  ],
  [
    44,
    'own-certificate-revoked',
    'The server says that the certificate of this side is revoked: enroll again with a new key.',
  ],
  [
    45,
    'own-certificate-expired',
    'The server says that the certificate of this side has expired: renew it, and check the clocks of both machines.',
  ],
  [
    48,
    'own-certificate-unknown-authority',
    'The server does not trust the CA of the certificate of this side: send the issuing CA after it, and let the server trust its root CA.',
  ],
  [49, 'access-denied', 'The server accepts the certificate of this side but not its owner: ask for access.'],
  [
    112,
    'unknown-host-name',
    'The server does not serve that host name: check the name that is connected to.',
  ],
])('alert %i from the server is %s', async (alert, code, sentence) => {
  expect(explainTlsFailure(await errorAfterAlert(alert), { side: 'client' })).toEqual({ code, sentence })
})

test('an alert without an explanation keeps its own words', async () => {
  const failure = explainTlsFailure(await errorAfterAlert(80), { side: 'client' })
  expect(failure.code).toBe('unknown')
  expect(failure.sentence).toContain('internal error')
})

test('a port on which nothing listens', async () => {
  const closed = createServer()
  await once(closed.listen(0, '127.0.0.1'), 'listening')
  const { port } = closed.address() as AddressInfo
  closed.close()
  await once(closed, 'close')
  const [error] = (await once(connect({ host: '127.0.0.1', port }), 'error').catch((reason: unknown) => [
    reason,
  ])) as [Error]
  expect(explainTlsFailure(error, { side: 'client', host: 'broker.example' })).toEqual({
    code: 'connection-refused',
    sentence:
      'Nothing listens at the address of the server broker.example: start it, or check host and port.',
  })
})

test('a server without TLS, whichever call hears of it', async () => {
  const plain = createServer((socket) => socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  await once(plain.listen(0, '127.0.0.1'), 'listening')
  const { port } = plain.address() as AddressInfo
  // Written to before it is connected: then it is the write that fails, with EPROTO.
  const client = connect({ port, host: '127.0.0.1' })
  client.write('GET / HTTP/1.1\r\n\r\n')
  const [error] = (await once(client, 'error')) as [Error]
  plain.close()
  expect(explainTlsFailure(error, { side: 'client', host: 'ca.example' })).toEqual({
    code: 'not-tls',
    sentence:
      'The server ca.example does not speak TLS on this port: use https or mqtts, and the TLS port, on both sides.',
  })
  const inMessage = Object.assign(
    new Error(
      'write EPROTO 40:error:0A00010B:SSL routines:tls_validate_record_header:wrong version number:../x.c:78:',
    ),
    { code: 'EPROTO' },
  )
  expect(explainTlsFailure(inMessage, { side: 'client' }).code).toBe('not-tls')
})

test('what is not an error at all is still answered', () => {
  expect(explainTlsFailure('no idea', { side: 'server' })).toEqual({
    code: 'unknown',
    sentence: 'TLS with the client failed: no idea',
  })
  expect(explainTlsFailure(null, { side: 'server' }).code).toBe('unknown')
  expect(explainTlsFailure({ code: 'constructor' }, { side: 'client' }).code).toBe('unknown')
})

/** The error of a client whose ClientHello is answered with one plaintext alert record (RFC 8446 section 6). */
async function errorAfterAlert(alert: number): Promise<Error> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end(Buffer.of(21, 3, 3, 0, 2, FATAL, alert)))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const client = connect({ host: '127.0.0.1', port: (server.address() as AddressInfo).port })
  const [error] = await new Promise<[Error]>((resolve) => client.once('error', (reason) => resolve([reason])))
  server.close()
  await once(server, 'close')
  return error
}
