import { createCsr, encodeCertsOnly, generateKeyPair } from '@fleetroot/pki'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'

import { fetchCaBundle } from '../authorities/fetch.ts'
import { type Authority, createAuthority } from '../testing/authority.ts'
import { type EstResponder, startEstResponder } from '../testing/est-responder.ts'
import { createEstClient, type EstClient, type EstClientOptions } from './client.ts'

let authority: Authority
const open: (() => unknown)[] = []

beforeAll(async () => {
  authority = await createAuthority()
})

afterEach(async () => {
  for (const close of open.splice(0)) await close()
})

async function start(
  options: Partial<EstClientOptions> = {},
): Promise<{ est: EstClient; server: EstResponder }> {
  const server = await startEstResponder(authority)
  const est = createEstClient({ url: server.url, trust: authority.trust, ...options })
  open.push(
    () => est.close(),
    async () => server.close(),
  )
  return { est, server }
}

function request(id = 'dev-1') {
  const { privateKey, publicKey } = generateKeyPair('P-256')
  return { privateKey, publicKey, csr: createCsr({ privateKey, commonName: id }) }
}

const credential = { username: 'dev-1', password: 'token-1' }

describe('cacerts', () => {
  it('gives root and issuing CAs', async () => {
    const { est } = await start()
    const found = (await est.cacerts()).map(({ fingerprint256 }) => fingerprint256)
    expect(found.toSorted()).toEqual(authority.all.map(({ fingerprint256 }) => fingerprint256).toSorted())
  })
})

describe('csrattrs', () => {
  it('is undefined when the server has no wishes', async () => {
    const { est } = await start()
    await expect(est.csrattrs()).resolves.toBeUndefined()
  })

  it('reads what the server wishes', async () => {
    const { est, server } = await start()
    server.instead.push((_, response) => response.end('MAkGBysGAQEBARY=\n'))
    await expect(est.csrattrs()).resolves.toEqual([{ oid: '1.3.6.1.1.1.1.22', values: [] }])
  })
})

describe('simpleEnroll', () => {
  it('gives the certificate for the key of the CSR, and the issuing CA of it', async () => {
    const { est, server } = await start()
    server.addToken('dev-1', 'token-1')
    const { csr, publicKey } = request()
    const certificate = await est.simpleEnroll(csr, credential)
    expect(certificate.publicKey.equals(publicKey)).toBe(true)
    const issuers = await est.issuersOf(certificate)
    expect(issuers.map(({ pem }) => pem)).toEqual([authority.devices.certificate.pem])
    expect(server.log).toEqual(['simpleenroll 200', 'cacerts 200'])
  })

  it('gives the same certificate when the same CSR is sent again', async () => {
    const { est, server } = await start()
    server.addToken('dev-1', 'token-1')
    const { csr } = request()
    const [first, second] = [await est.simpleEnroll(csr, credential), await est.simpleEnroll(csr, credential)]
    expect(second.fingerprint256).toBe(first.fingerprint256)
  })

  it('shares one request for the CAs between devices that enroll at once', async () => {
    const { est, server } = await start()
    const ids = Array.from({ length: 20 }, (_, at) => `dev-${at}`)
    for (const id of ids) server.addToken(id, `token-${id}`)
    await Promise.all(
      ids.map(async (id) => est.simpleEnroll(request(id).csr, { username: id, password: `token-${id}` })),
    )
    expect(server.log.filter((line) => line.startsWith('cacerts'))).toHaveLength(1)
  })

  it('asks for the CAs again when a certificate is from one that it does not know', async () => {
    const { est, server } = await start()
    server.addToken('dev-1', 'token-1')
    // Only the root at first, as before the issuing CA was made.
    server.instead.push((_, response) => response.end(encodeCertsOnly([authority.root]).toString('base64')))
    await expect(
      est.issuersOf(await authority.issueDevice('dev-1', request().publicKey)),
    ).rejects.toMatchObject({
      code: 'certificate-untrusted',
    })
    await expect(est.simpleEnroll(request().csr, credential)).resolves.toBeDefined()
  })

  it('repeats a request on a new connection when the server had closed the idle one', async () => {
    const { est, server } = await start()
    await est.cacerts()
    server.instead.push((incoming) => incoming.socket.destroy())
    await expect(est.cacerts()).resolves.toHaveLength(3)
  })

  it('passes on the reason of a refused token', async () => {
    const { est } = await start()
    await expect(est.simpleEnroll(request().csr, credential)).rejects.toMatchObject({
      code: 'credential-refused',
      status: 401,
      message: 'EST simpleenroll was refused (401): token: unknown or used; have a new one made',
    })
  })

  it.each([
    [202, 'pending'],
    [400, 'request-refused'],
    [403, 'forbidden'],
    [404, 'response-unexpected'],
    [409, 'conflict'],
    [429, 'rate-limited'],
    [503, 'server-failed'],
    [302, 'response-unexpected'],
  ])('answers %i with the code %s and the Retry-After of the server', async (status, code) => {
    const { est, server } = await start()
    server.instead.push((_, response) => {
      response.writeHead(status, {
        'content-type': 'text/plain',
        'retry-after': '7',
        location: 'https://evil.test/',
      })
      response.end('because\nof \u001b[31mthis')
    })
    await expect(est.simpleEnroll(request().csr, credential)).rejects.toMatchObject({
      code,
      status,
      retryAfterMs: 7000,
      message: expect.stringMatching(/\(\d+\): because of \[31mthis$/),
    })
  })

  it('takes the detail of an RFC 9457 problem for the reason', async () => {
    const { est, server } = await start()
    server.instead.push((_, response) => {
      response
        .writeHead(429, { 'content-type': 'application/problem+json' })
        .end('{"detail":"too many requests"}')
    })
    await expect(est.cacerts()).rejects.toThrow('EST cacerts was refused (429): too many requests')
  })

  it('refuses a certificate for another key', async () => {
    const { est, server } = await start()
    server.addToken('dev-1', 'token-1')
    server.answer = async () => [await authority.issueDevice('dev-1', request().publicKey)]
    await expect(est.simpleEnroll(request().csr, credential)).rejects.toMatchObject({
      code: 'certificate-wrong-key',
    })
  })

  it('refuses a certificate for another id', async () => {
    const { est, server } = await start()
    server.addToken('dev-1', 'token-1')
    server.answer = async ({ publicKey }) => [await authority.issueDevice('dev-2', publicKey)]
    await expect(est.simpleEnroll(request().csr, credential)).rejects.toMatchObject({
      code: 'certificate-wrong-id',
      message: 'the server answered with a certificate for dev-2, not for dev-1: refused',
    })
  })

  it('refuses a certificate from a CA of the same name with another key', async () => {
    const { est, server } = await start()
    server.addToken('dev-1', 'token-1')
    const fake = await createAuthority()
    server.answer = async ({ publicKey }) => [await fake.issueDevice('dev-1', publicKey), ...fake.all]
    await expect(est.simpleEnroll(request().csr, credential)).rejects.toMatchObject({
      code: 'certificate-untrusted',
    })
  })

  it('refuses a certificate that has expired', async () => {
    const { est, server } = await start()
    server.addToken('dev-1', 'token-1')
    server.issue = { issuedAt: new Date(Date.now() - 86_400_000), lifetimeSeconds: 60 }
    await expect(est.simpleEnroll(request().csr, credential)).rejects.toMatchObject({
      code: 'certificate-not-valid-now',
    })
  })

  it('finds its own certificate when the server sends the chain with it', async () => {
    const { est, server } = await start()
    server.addToken('dev-1', 'token-1')
    server.answer = (certificate) => [authority.root, authority.devices.certificate, certificate]
    const { csr, publicKey } = request()
    expect((await est.simpleEnroll(csr, credential)).publicKey.equals(publicKey)).toBe(true)
  })

  it.each([
    ['an empty body', ''],
    ['a page of HTML', '<html>'],
    ['base64 of something else', Buffer.from('hello world!').toString('base64')],
  ])('refuses %s', async (_what, body) => {
    const { est, server } = await start()
    server.instead.push((_, response) => response.end(body))
    await expect(est.cacerts()).rejects.toMatchObject({ code: 'response-invalid' })
  })

  it('refuses an answer that is too large, before it has read it', async () => {
    const { est, server } = await start()
    server.instead.push((_, response) => {
      // Endless: only the cap can end it.
      const more = () => {
        while (!response.destroyed && response.write('A'.repeat(65_536)));
      }
      response.on('drain', more)
      more()
    })
    await expect(est.cacerts()).rejects.toMatchObject({ code: 'response-too-large' })
  })

  it('gives up a server that does not answer', async () => {
    const { est, server } = await start({ timeoutMs: 50 })
    server.instead.push(
      () => undefined,
      () => undefined,
    )
    await expect(est.cacerts()).rejects.toMatchObject({ code: 'timed-out' })
  })
})

describe('simpleReenroll', () => {
  it('renews over mutual TLS with a new key', async () => {
    const { est, server } = await start()
    const device = await authority.device('dev-1')
    const { privateKey, publicKey } = generateKeyPair('P-256')
    const { subjectAltNames } = device.certificate
    const certificate = await est.simpleReenroll(
      createCsr({ privateKey, commonName: 'dev-1', subjectAltNames }),
      device,
    )
    expect(certificate.publicKey.equals(publicKey)).toBe(true)
    expect(server.log).toEqual(['simplereenroll 200', 'cacerts 200'])
  })

  it('passes on that the certificate of another CA is refused', async () => {
    const { est } = await start()
    const stranger = await (await createAuthority()).device('dev-1')
    await expect(est.simpleReenroll(request().csr, stranger)).rejects.toMatchObject({
      code: 'forbidden',
      status: 403,
    })
  })

  it('asks for the current identity', async () => {
    const { est } = await start()
    await expect(est.simpleReenroll(request().csr)).rejects.toMatchObject({ code: 'option-invalid' })
  })
})

describe('the server', () => {
  it('must have a certificate from the pinned CA', async () => {
    const fake = await createAuthority()
    const { est } = await start({ trust: fake.trust })
    await expect(est.cacerts()).rejects.toMatchObject({ code: 'tls-failed', tlsCode: 'unknown-authority' })
  })

  it('must have a certificate for its host name', async () => {
    const server = await startEstResponder(authority, await authority.server({ dns: ['other.test'], ip: [] }))
    const est = createEstClient({ url: server.url, trust: authority.trust })
    open.push(
      () => est.close(),
      async () => server.close(),
    )
    await expect(est.cacerts()).rejects.toMatchObject({ code: 'tls-failed', tlsCode: 'wrong-host-name' })
  })

  it('must be the enrollment server: another service with its host name gets no token', async () => {
    const server = await startEstResponder(authority, await authority.server({ id: 'line-display' }))
    const trust = authority.trust
    const est = createEstClient({ url: server.url, trust })
    const foreign = createEstClient({ url: server.url, trust, server: 'any' })
    const named = createEstClient({
      url: server.url,
      trust,
      server: { role: 'service', id: 'line-display' },
    })
    open.push(
      () => est.close(),
      () => foreign.close(),
      () => named.close(),
      async () => server.close(),
    )
    server.addToken('dev-x', 'token-x')
    const csr = createCsr({ privateKey: generateKeyPair('P-256').privateKey, commonName: 'dev-x' })
    const refused = { code: 'tls-failed', tlsCode: 'wrong-server' }
    const credential = { username: 'dev-x', password: 'token-x' }
    await expect(est.simpleEnroll(csr, credential)).rejects.toMatchObject(refused)
    expect(server.requests).toEqual([])
    await expect(fetchCaBundle({ url: server.url, trust })).rejects.toMatchObject(refused)
    expect((await foreign.cacerts()).length).toBeGreaterThan(0)
    expect((await named.simpleEnroll(csr, credential)).serial).toBeDefined()
  })

  it('must listen', async () => {
    const { est, server } = await start()
    await server.close()
    await expect(est.cacerts()).rejects.toMatchObject({
      code: 'network-failed',
      message: expect.stringMatching(/^no connection to localhost:\d+ \(ECONNREFUSED\)$/),
    })
  })

  it.each([
    ['http://localhost', 'the URL begins with http://: it must be https://'],
    ['localhost:8443', 'the URL begins with localhost://: it must be https://'],
    [
      'https://user:secret@localhost',
      'the URL of localhost must have a host and no user, password, query or fragment',
    ],
    ['https://localhost/est', 'the EST URL has the path /est: give only https://host:port'],
    ['nonsense', '"nonsense" is not a URL: write it as https://host:port'],
  ])('cannot be %s', (url, message) => {
    expect(() => createEstClient({ url, trust: authority.trust })).toThrow(
      expect.objectContaining({ code: 'url-invalid', message }),
    )
  })
})
