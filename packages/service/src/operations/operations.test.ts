import { request } from 'node:http'
import { createServer } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { Counter } from 'prom-client'
import type { AdminRoute } from './admin-route.ts'
import { createOperations, type Operations } from './operations.ts'

let open: Operations[] = []
afterEach(async () => {
  await Promise.all(open.map((operations) => operations.close()))
  open = []
})

async function started(options: { checks?: string[]; signal?: AbortSignal; routes?: AdminRoute[] } = {}) {
  const operations = createOperations({ port: 0, ...options })
  open.push(operations)
  const port = await operations.listen()
  const get = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`)
    return {
      status: response.status,
      type: response.headers.get('content-type'),
      text: await response.text(),
    }
  }
  return { operations, port, get, ready: async () => JSON.parse((await get('/readyz')).text) as unknown }
}

describe('the operations listener', () => {
  it('is alive as soon as it listens', async () => {
    const { get } = await started()
    const { status, text } = await get('/livez')
    expect(status).toBe(200)
    expect(JSON.parse(text)).toEqual({ status: 'alive', eventLoopLagMs: expect.any(Number) })
  })

  it('is not ready until every check is, and says which one is missing and why', async () => {
    const { operations, get, ready } = await started({ checks: ['identity', 'listener'] })
    operations.setNotReady('identity', 'waiting for the enrollment server')
    expect((await get('/readyz')).status).toBe(503)
    expect(await ready()).toEqual({
      status: 'not ready',
      checks: { identity: 'waiting for the enrollment server', listener: 'not started' },
    })
    operations.setReady('identity')
    expect(await ready()).toEqual({ status: 'not ready', checks: { listener: 'not started' } })
    operations.setReady('listener')
    expect((await get('/readyz')).status).toBe(200)
    expect(await ready()).toEqual({ status: 'ready' })
  })

  it('becomes not ready again', async () => {
    const { operations, get } = await started({ checks: ['identity'] })
    operations.setReady('identity')
    operations.setNotReady('identity', 'expired')
    expect((await get('/readyz')).status).toBe(503)
  })

  it('is not ready when nothing has said that it serves', async () => {
    const { get } = await started()
    expect((await get('/readyz')).status).toBe(503)
  })

  it('is not ready once the stop began', async () => {
    const stop = new AbortController()
    const { operations, ready } = await started({ checks: ['listener'], signal: stop.signal })
    operations.setReady('listener')
    stop.abort()
    expect(await ready()).toEqual({ status: 'not ready', checks: { app: 'stopping' } })
  })

  it("serves Node's metrics, event-loop lag included, beside the app's own", async () => {
    const { operations, get } = await started()
    const issued = new Counter({
      name: 'fleetroot_certificates_issued_total',
      help: 'certificates issued',
      registers: [operations.register],
    })
    issued.inc(3)
    const { text, type } = await get('/metrics')
    expect(type).toMatch(/^text\/plain; version=0\.0\.4/)
    expect(text).toContain('fleetroot_certificates_issued_total 3')
    expect(text).toContain('nodejs_eventloop_lag_p99_seconds')
    expect(text).toContain('process_resident_memory_bytes')
  })

  it('tells Prometheus whether it is ready', async () => {
    const { operations, get } = await started({ checks: ['listener'] })
    expect((await get('/metrics')).text).toContain('fleetroot_ready 0')
    operations.setReady('listener')
    expect((await get('/metrics')).text).toContain('fleetroot_ready 1')
  })

  it('has no administration on an address that others may reach, and there goes by any name', async () => {
    const route: AdminRoute = { method: 'GET', path: '/v1/things', answer: () => ({}) }
    const operations = createOperations({ port: 0, host: '0.0.0.0', routes: [route] })
    open.push(operations)
    const port = await operations.listen()
    const get = (path: string): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const options = { host: '127.0.0.1', port, path, headers: { host: 'broker.example' } }
        request(options, (response) => resolve(response.resume().statusCode))
          .on('error', reject)
          .end()
      })
    expect(await get('/v1/things')).toBe(404)
    expect(await get('/livez')).toBe(200)
  })

  it('listens on loopback only unless told otherwise', async () => {
    const { port } = await started()
    // The same port is free on another loopback address, so it cannot be bound to all of them.
    const other = createServer()
    await new Promise<void>((resolve, reject) => {
      other.once('error', reject).listen(port, '127.0.0.2', resolve)
    })
    expect(other.listening).toBe(true)
    await new Promise((resolve) => other.close(resolve))
  })

  describe('the routes of an app', () => {
    const route: AdminRoute = {
      method: 'POST',
      path: '/v1/things/:name',
      answer: (asked) => ({ status: 201, body: asked }),
    }
    const ask = (port: number, headers: Record<string, string>): Promise<[number, unknown]> =>
      new Promise((resolve, reject) => {
        const options = {
          host: '127.0.0.1',
          port,
          path: '/v1/things/a?b=c',
          method: 'POST',
          headers: { 'content-type': 'application/json', ...headers },
        }
        const outgoing = request(options, (response) => {
          let text = ''
          response.on('data', (chunk: Buffer) => (text += chunk.toString()))
          response.on('end', () => resolve([response.statusCode ?? 0, JSON.parse(text)]))
        })
        outgoing.on('error', reject)
        outgoing.end('{"d":1}')
      })

    it('are there', async () => {
      const { port } = await started({ routes: [route] })
      const heard = { params: { name: 'a' }, query: { b: 'c' }, body: { d: 1 }, caller: 'loopback' }
      expect(await ask(port, {})).toEqual([201, heard])
      expect(await ask(port, { host: 'localhost:1' })).toEqual([201, heard])
      expect(await ask(port, { host: '[::1]:1' })).toEqual([201, heard])
    })

    it.each([
      { origin: 'http://127.0.0.1' },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-origin' },
      { host: 'evil.example' },
      { host: 'localhost.evil.example:80' },
    ])('refuse what a web page may send: %j', async (headers) => {
      const { port } = await started({ routes: [route] })
      expect(await ask(port, headers)).toEqual([403, { code: 'forbidden', detail: expect.any(String) }])
    })
  })

  it('tells a page whose own name resolves to loopback nothing at all', async () => {
    const { port } = await started({ checks: [] })
    const get = (path: string, host: string): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const options = { host: '127.0.0.1', port, path, headers: { host } }
        request(options, (response) => resolve(response.resume().statusCode))
          .on('error', reject)
          .end()
      })
    for (const path of ['/livez', '/readyz', '/metrics', '/nothing']) {
      expect(await get(path, `evil.example:${port}`)).toBe(403)
    }
    expect(await get('/livez', 'localhost')).toBe(200)
    expect(await get('/livez', '[::1]')).toBe(200)
  })

  it('says in one form what it does not have and what it cannot read', async () => {
    const { port, get } = await started({
      routes: [{ method: 'POST', path: '/v1/things', answer: () => ({}) }],
    })
    const { status, text } = await get('/nope')
    expect([status, JSON.parse(text)]).toEqual([
      404,
      { code: 'not-found', detail: 'there is nothing at GET /nope' },
    ])
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(`http://127.0.0.1:${port}/v1/things`, { method: 'POST', headers, body: '{' })
    expect([response.status, await response.json()]).toEqual([
      400,
      { code: 'invalid-request', detail: expect.stringContaining('JSON') },
    ])
  })

  it('allows two of them in one process', async () => {
    const [a, b] = await Promise.all([started(), started()])
    expect((await a.get('/metrics')).status).toBe(200)
    expect((await b.get('/metrics')).status).toBe(200)
  })
})
