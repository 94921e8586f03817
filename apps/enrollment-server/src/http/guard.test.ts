import { once } from 'node:events'
import { connect as connectPlain } from 'node:net'
import { connect } from 'node:tls'
import { createLogger } from '@fleetroot/service'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { basic, csrFor, enrolledDevice, restEnroll, simpleEnroll } from '../testing/enroll.ts'
import { openTestbed, type Testbed } from '../testing/testbed.ts'
import { guardRoutes } from './access.ts'
import { createApp } from './app.ts'

let testbed: Testbed
beforeAll(async () => {
  testbed = await openTestbed()
})
afterAll(() => testbed.close())

const est = '/.well-known/est/simpleenroll'
const operatorRoutes = [
  ['GET', '/v1/devices'],
  ['POST', '/v1/devices'],
  ['GET', '/v1/devices/sensor'],
  ['POST', '/v1/devices/sensor/tokens'],
  ['GET', '/v1/certificates/01'],
] as const

describe('the access gate', () => {
  it.each(operatorRoutes)('lets nobody without a certificate at %s %s', async (method, path) => {
    const answer = await testbed.request(path, { method, ...(method === 'POST' && { json: {} }) })
    expect(answer).toMatchObject({ status: 403, json: { code: 'certificate-required' } })
  })

  it('lets no device and no service at the routes of operators', async () => {
    const device = await enrolledDevice(testbed, 'curious')
    const service = await enrolledDevice(testbed, 'ambitious', { profile: 'service' })
    for (const { identity } of [device, service]) {
      for (const [method, path] of operatorRoutes) {
        const answer = await testbed.request(path, {
          method,
          identity,
          ...(method === 'POST' && { json: {} }),
        })
        expect(answer).toMatchObject({ status: 403, json: { code: 'role-not-allowed' } })
      }
    }
  })

  it('lets no token at the routes of operators', async () => {
    const token = await testbed.token('token-only')
    const headers = { authorization: `Bearer ${token}` }
    const answer = await testbed.request('/v1/devices', { headers })
    expect(answer.json).toMatchObject({ code: 'certificate-required' })
  })

  it('refuses the operator of another hierarchy, though all names are the same', async () => {
    const foreign = await openTestbed()
    try {
      const answer = await testbed.request('/v1/devices', { identity: foreign.operator })
      expect(answer).toMatchObject({ status: 403, json: { code: 'certificate-refused' } })
    } finally {
      await foreign.close()
    }
  })

  it('refuses an expired operator certificate, on an old connection and on a new one', async () => {
    const short = await openTestbed({ operatorLifetime: 3_600_000 })
    try {
      const ask = () => short.request('/v1/devices', { identity: short.operator })
      expect((await ask()).status).toBe(200)
      short.advance(3_600_001)
      expect(await ask()).toMatchObject({ status: 403, json: { code: 'certificate-refused' } })
      short.reconnect()
      expect(await ask()).toMatchObject({ status: 403, json: { code: 'certificate-refused' } })
    } finally {
      await short.close()
    }
  })

  it('cannot be forgotten: a route that declares no access is not served at all', async () => {
    const app = await createApp({
      logger: createLogger({ name: 'test', level: 'silent' }),
      limits: { requestsPerMinute: 10, failedTokensPerMinute: 10 },
    })
    guardRoutes(app, {} as Parameters<typeof guardRoutes>[1])
    expect(() => app.get('/open', () => 'hello')).toThrow('route /open does not declare its access')
    await app.close()
  })
})

describe('what is not a request for anything here', () => {
  it.each([
    ['GET', '/v1/enrollments', 'POST'],
    ['DELETE', '/v1/devices', 'POST, GET, HEAD'],
    ['PUT', '/v1/ca', 'GET, HEAD'],
  ])('%s %s is 405 and names the methods', async (method, path, allow) => {
    const answer = await testbed.request(path, { method, identity: testbed.operator })
    expect(answer).toMatchObject({ status: 405, json: { code: 'method-not-allowed' } })
    expect(answer.headers['allow']).toBe(allow)
  })

  it('is 405 in text for EST', async () => {
    const answer = await testbed.request(est)
    expect(answer).toMatchObject({ status: 405, body: 'method-not-allowed: method: use POST\n' })
    expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8')
  })

  it.each(['/', '/v2/devices', '/v1', '/v1/devices/a/b/c'])('at %s is a 404 problem', async (path) => {
    expect(await testbed.request(path)).toMatchObject({ status: 404, json: { code: 'path-unknown' } })
  })

  it.each([
    ['/.well-known/est/nothing', 'path-unknown'],
    ['/.well-known/est/nobody/cacerts', 'profile-unknown'],
    ['/.well-known/est/..%2F..%2Fetc%2Fpasswd/cacerts', 'profile-unknown'],
    ['/%2e%2e/.well-known/est/cacerts', 'profile-unknown'],
    ['/__proto__/.well-known/est/cacerts', 'profile-unknown'],
    [`/.well-known/est/${'x'.repeat(300)}/cacerts`, 'path-unknown'],
  ])('at %s is a 404 in text', async (path, code) => {
    const answer = await testbed.request(path)
    expect(answer).toMatchObject({ status: 404, body: expect.stringMatching(new RegExp(`^${code}: `)) })
  })

  it('with a path that is no UTF-8 is 400', async () => {
    expect(await testbed.request('/v1/devices/%ff')).toMatchObject({
      status: 400,
      json: { code: 'request-malformed' },
    })
  })
})

describe('a body', () => {
  it.each([
    [est, 'application/json', 'text/plain; charset=utf-8'],
    [est, 'text/plain', 'text/plain; charset=utf-8'],
    ['/v1/enrollments', 'application/pkcs10', 'application/problem+json; charset=utf-8'],
    ['/v1/enrollments', 'text/html', 'application/problem+json; charset=utf-8'],
    ['/v1/enrollments', 'text/plain', 'application/problem+json; charset=utf-8'],
    ['/v1/enrollments', 'multipart/form-data; boundary=x', 'application/problem+json; charset=utf-8'],
  ])('at %s that says %s is 415', async (path, type, answerType) => {
    const id = `typed-${Math.random().toString(36).slice(2)}`
    const token = await testbed.token(id)
    const authorization = path === est ? basic(id, token) : { authorization: `Bearer ${token}` }
    const headers = { 'content-type': type, ...authorization }
    const answer = await testbed.request(path, { method: 'POST', headers, body: csrFor(id) })
    expect(answer.status).toBe(415)
    expect(answer.headers['content-type']).toBe(answerType)
    expect(answer.body).toContain('content-type-unsupported')
    expect((await restEnroll(testbed, token, csrFor(id))).status).toBe(201)
  })

  it('over 64 KiB is 413, announced or in chunks, in EST and in REST', async () => {
    const token = await testbed.token('big')
    const big = 'A'.repeat(64 * 1024 + 1)
    expect(await simpleEnroll(testbed, 'big', token, big)).toMatchObject({
      status: 413,
      body: 'body-too-large: body: must be at most 64 KiB\n',
    })
    testbed.reconnect()
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const chunked = await testbed.request('/v1/enrollments', {
      method: 'POST',
      headers: { ...headers, 'transfer-encoding': 'chunked' },
      body: big,
    })
    expect(chunked).toMatchObject({ status: 413, json: { code: 'body-too-large' } })
    testbed.reconnect()
  })

  it('that is too large, sent whole before anything is read, still hears the answer, and the connection ends', async () => {
    const token = await testbed.token('pusher')
    const body = 'A'.repeat(700 * 1024)
    const authorization = `Authorization: Bearer ${token}\r\nContent-Type: application/json\r\n`
    const head = `POST /v1/enrollments HTTP/1.1\r\nHost: localhost\r\n${authorization}`
    for (const framing of [
      `Content-Length: ${body.length}\r\n\r\n${body}`,
      `Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
    ]) {
      const { text, error } = await push(head + framing)
      expect(error).toBeUndefined()
      expect(text).toMatch(/^HTTP\/1\.1 413 /)
      expect(text).toContain('"code":"body-too-large"')
    }
  })

  it('that has no end is not read for ever', async () => {
    const token = await testbed.token('endless')
    const authorization = `Authorization: Bearer ${token}\r\nContent-Type: application/json\r\n`
    const head = `POST /v1/enrollments HTTP/1.1\r\nHost: localhost\r\n${authorization}Content-Length: 1000000000\r\n\r\n`
    const { sent } = await push(head, 'A'.repeat(64 * 1024))
    // What the server reads, and what the sockets between hold.
    expect(sent).toBeLessThan(32 * 1024 * 1024)
  })

  /** Sends without reading first, then `more` until the connection is over. */
  async function push(
    bytes: string,
    more?: string,
  ): Promise<{ text: string; error: Error | undefined; sent: number }> {
    const socket = connect({
      host: 'localhost',
      port: testbed.port,
      ca: testbed.root,
      servername: 'localhost',
    })
    let [text, sent] = ['', 0]
    let error: Error | undefined
    const over = new Promise<void>((resolve) => {
      socket.once('close', () => resolve())
    })
    socket.on('error', (reason) => (error = reason))
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      if (more === undefined && text.includes('"code":')) socket.end()
    })
    await once(socket, 'secureConnect')
    const feed = (): void => {
      if (more === undefined) return
      sent += more.length
      socket.write(more, (failed) => {
        if (!failed && !socket.destroyed) feed()
      })
    }
    socket.write(bytes, feed)
    await over
    return { text, error, sent }
  }

  it.each([
    [{ id: 7 }, 'body.id: must be a string'],
    [{}, 'body.id: is missing'],
    [[], 'body: must be a JSON object'],
    [{ id: 'x', dns: 'y' }, 'body.dns: must be a list'],
    [{ id: 'x', labels: { a: 7 } }, 'body.labels.a: must be a string'],
    [{ id: 'x', labels: { '': 'a' } }, 'body.labels.: has a name that it must not have: 1 to 63 characters'],
    [{ id: 'x', lables: {} }, 'body: has fields that are not known here: "lables"'],
    [{ id: 'x', labels: { a: 'b'.repeat(300) } }, 'body.labels.a: must be at most 256 characters long'],
  ])('with %j is refused in our words', async (json, detail) => {
    const { operator: identity } = testbed
    const answer = await testbed.request('/v1/devices', { method: 'POST', identity, json })
    expect(answer).toMatchObject({ status: 400, json: { code: 'field-invalid', detail } })
  })

  it('of nobody is not read: the credential comes first', async () => {
    const answer = await testbed.request(est, {
      method: 'POST',
      headers: { 'content-type': 'x/y' },
      body: 'x',
    })
    expect(answer.status).toBe(401)
  })

  it('that is empty is refused with what to send', async () => {
    const token = await testbed.token('empty')
    expect(await simpleEnroll(testbed, 'empty', token, '')).toMatchObject({
      status: 400,
      body: 'body-missing: body: send the CSR in base64\n',
    })
  })
})

describe('a credential', () => {
  it.each([
    ['a line feed in the user name', 'x\r\nX-Injected: 1:secret'],
    ['NUL in the user name', 'x\0y:secret'],
    ['no colon', 'x'],
  ])('with %s is refused and nothing of it comes back', async (_what, text) => {
    const headers = {
      'content-type': 'application/pkcs10',
      authorization: `Basic ${Buffer.from(text).toString('base64')}`,
    }
    const answer = await testbed.request(est, { method: 'POST', headers, body: csrFor('x') })
    expect(answer.status).toBe(401)
    expect(answer.body).toMatch(/^credential-malformed: /)
    expect(answer.headers).not.toHaveProperty('x-injected')
  })
})

describe('the limits', () => {
  it('stop an address that sends failing tokens, and say for how long', async () => {
    const limited = await openTestbed({ failedTokenLimit: 3 })
    try {
      const token = await limited.token('patient')
      for (let n = 0; n < 3; n++) {
        expect((await restEnroll(limited, 'A'.repeat(43), csrFor('x'))).status).toBe(401)
      }
      const answer = await restEnroll(limited, token, csrFor('patient'))
      expect(answer).toMatchObject({ status: 429, json: { code: 'attempts-limited' } })
      expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0)
      // The first request of libest carries no credential: it is no attempt, and hears how to send one.
      expect((await limited.request(est, { method: 'POST' })).status).toBe(401)
    } finally {
      await limited.close()
    }
  })

  it('do not count tokens that work', async () => {
    const limited = await openTestbed({ failedTokenLimit: 1 })
    try {
      for (const id of ['one', 'two', 'three']) {
        expect((await restEnroll(limited, await limited.token(id), csrFor(id))).status).toBe(201)
      }
    } finally {
      await limited.close()
    }
  })

  it('stop an address that asks too much, in the format of the protocol', async () => {
    const limited = await openTestbed({ rateLimit: 3 })
    try {
      for (let n = 0; n < 3; n++) expect((await limited.request('/v1/ca')).status).toBe(200)
      const answer = await limited.request('/v1/ca')
      expect(answer).toMatchObject({ status: 429, json: { code: 'rate-limited' } })
      expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0)
      const text = await limited.request('/.well-known/est/cacerts')
      expect(text).toMatchObject({ status: 429, body: expect.stringMatching(/^rate-limited: /) })
      expect((await limited.request('/nothing')).status).toBe(429)
    } finally {
      await limited.close()
    }
  })
})

describe('a connection', () => {
  async function talk(bytes: string): Promise<string> {
    const socket = connect({
      host: 'localhost',
      port: testbed.port,
      ca: testbed.root,
      servername: 'localhost',
    })
    socket.on('error', () => {})
    await once(socket, 'secureConnect')
    socket.write(bytes)
    const chunks: Buffer[] = []
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    await once(socket, 'close')
    return Buffer.concat(chunks).toString()
  }

  it('that sends its request one octet at a time is ended by the server', async () => {
    expect(await talk('POST /v1/enrollments HTTP/1.1\r\nHost: localhost\r\nX-Slow: ')).toMatch(
      /^HTTP\/1\.1 408 Request Timeout\r\n[\s\S]*\r\n\r\nrequest-timeout: The request did not arrive in time\. Send the whole request at once\.\n$/,
    )
  })

  it('with a header over 16 KiB is refused', async () => {
    expect(await talk(`GET /v1/ca HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`)).toMatch(
      /^HTTP\/1\.1 431 Request Header Fields Too Large\r\n[\s\S]*\r\n\r\nheader-too-large: The request header is larger than 16 KiB\. Send fewer or smaller header fields\.\n$/,
    )
  })

  it('of HTTP/1.1 without Host is refused in words, and one of HTTP/1.0 is not', async () => {
    const bare = (version: string, path = '/v1/ca') =>
      talk(`GET ${path} HTTP/${version}\r\nConnection: close\r\n\r\n`)
    expect(await bare('1.1')).toMatch(
      /^HTTP\/1\.1 400 [\s\S]*"detail":"Host: send it, as HTTP\/1\.1 asks \(RFC 9112, section 3\.2\)"/,
    )
    expect(await bare('1.1', '/.well-known/est/cacerts')).toMatch(
      /^HTTP\/1\.1 400 [\s\S]*request-malformed: Host: /,
    )
    expect(await bare('1.0')).toMatch(/^HTTP\/1\.1 200 /)
  })

  it('with two lengths, as request smuggling has, is refused', async () => {
    const smuggled =
      'POST /v1/enrollments HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'
    expect(await talk(smuggled)).toMatch(/^HTTP\/1\.1 400 [\s\S]*request-malformed: /)
  })

  it('over plain TCP to the HTTPS port gets nothing, and the server lives', async () => {
    const socket = connectPlain({ host: '127.0.0.1', port: testbed.port })
    socket.on('error', () => {})
    socket.resume()
    socket.write('GET /v1/ca HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await once(socket, 'close')
    expect((await testbed.request('/v1/ca')).status).toBe(200)
  })
})

describe('a refusal', () => {
  it('is one warning in the log, with its code, wherever it was refused', async () => {
    const own = await openTestbed()
    try {
      const refusals = () =>
        own.lines
          .filter(({ msg, level }) => msg === 'request refused' && level === 'warn')
          .map(({ decision, path, id }) => [decision, path, ...(id === undefined ? [] : [id])])
      const { operator: identity } = own
      await own.request('/v1/devices')
      await own.request('/nothing/here?secret=1')
      await own.request('/v1/devices/ghost', { identity })
      await own.request('/v1/devices', { method: 'POST', identity, json: {} })
      await restEnroll(own, 'A'.repeat(43), csrFor('x'))
      await own.request(est, { method: 'POST' })
      expect(refusals()).toEqual([
        ['certificate-required', '/v1/devices'],
        ['path-unknown', '/nothing/here'],
        ['device-unknown', '/v1/devices/:id', 'operator'],
        ['field-invalid', '/v1/devices', 'operator'],
        ['token-invalid', '/v1/enrollments'],
      ])
    } finally {
      await own.close()
    }
  })
})

describe('the plain HTTP listener', () => {
  const fetchPlain = (path: string, method = 'GET') =>
    fetch(`http://127.0.0.1:${testbed.httpPort}${path}`, { method })

  it('serves the CA certificates in DER, and nothing else', async () => {
    for (const name of ['root', 'devices', 'services']) {
      const answer = await fetchPlain(`/ca/${name}.crt`)
      expect(answer.headers.get('content-type')).toBe('application/pkix-cert')
      expect(Buffer.from(await answer.arrayBuffer())[0]).toBe(0x30)
    }
    for (const path of ['/v1/ca', '/ca/root.key', '/ca/../ca/root.key', '/.well-known/est/cacerts']) {
      expect((await fetchPlain(path)).status).toBe(404)
    }
    expect((await fetchPlain('/ca/root.crt', 'POST')).status).toBe(405)
  })
})
