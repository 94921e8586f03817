import { once } from 'node:events'
import { createServer as createHttpServer, type RequestListener } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { createOperations } from '@fleetroot/service'
import type { ServerAddress } from './address.ts'
import { askReadiness } from './readiness.ts'
import { type Awaited, waitForServers } from './wait.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

async function listen(server: Server): Promise<string> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/readyz`
}

const http = (handler: RequestListener) => listen(createHttpServer(handler))

function address(name: ServerAddress['name'], readyUrl: string | undefined): ServerAddress {
  return {
    name,
    url: 'https://127.0.0.1:1',
    readyUrl,
    startCommand: `npx nx run ${name}:serve`,
    elsewhere: `FLEETROOT_${name.toUpperCase()}_PORT`,
  }
}

async function unusedUrl(): Promise<string> {
  const server = createTcpServer()
  const url = await listen(server)
  server.close()
  await once(server, 'close')
  return url
}

function wait(servers: ServerAddress[], options: Partial<Parameters<typeof waitForServers>[0]> = {}) {
  const { signal } = new AbortController()
  return waitForServers({
    servers,
    waitMs: 30_000,
    everyMs: 10,
    signal,
    onChange: () => undefined,
    ...options,
  })
}

describe('waitForServers', () => {
  test('waits for a real operations listener until all of its checks are ready, and shows each reason', async () => {
    const operations = createOperations({ port: 0, checks: ['identity'] })
    closers.push(() => operations.close())
    const port = await operations.listen()
    const seen: string[] = []
    await wait([address('broker', `http://127.0.0.1:${port}/readyz`)], {
      patienceMs: 0,
      onChange: ([awaited]) => {
        seen.push(awaited?.readiness.detail ?? '')
        if (seen.length === 1) operations.setNotReady('identity', 'enrolling')
        else operations.setReady('identity')
      },
    })
    expect(seen).toEqual(['identity: not started', 'identity: enrolling'])
  })

  test('says at the end of its patience which command starts the missing server', async () => {
    const url = await unusedUrl()
    await expect(wait([address('enrollment-server', url)], { waitMs: 30 })).rejects.toMatchObject({
      code: 'server-missing',
      message: expect.stringMatching(
        /^no enrollment-server at http:\S+ after 30ms \(nothing listens there\); start it with `npx nx run enrollment-server:serve`, or say where it is with FLEETROOT_/,
      ),
    })
  })

  test('says what a server that never gets ready was waiting for', async () => {
    const operations = createOperations({ port: 0, checks: ['registry'] })
    closers.push(() => operations.close())
    const url = `http://127.0.0.1:${await operations.listen()}/readyz`
    await expect(wait([address('broker', url)], { waitMs: 30 })).rejects.toMatchObject({
      code: 'server-not-ready',
      message: expect.stringContaining('still not ready after 30ms (registry: not started)'),
    })
  })

  test('gives up at once when the port belongs to another program', async () => {
    const url = await http((_, response) => response.end('<h1>It works!</h1>'))
    await expect(wait([address('broker', url)])).rejects.toMatchObject({
      code: 'server-foreign',
      message: expect.stringMatching(
        /is not the broker: it answers 200 .*It works!.*; stop that program, or set /,
      ),
    })
  })

  test('gives up when a server that was starting has gone away', async () => {
    const operations = createOperations({ port: 0, checks: ['listeners'] })
    const url = `http://127.0.0.1:${await operations.listen()}/readyz`
    const onChange = () => void operations.close()
    await expect(wait([address('broker', url)], { onChange, goneMs: 20 })).rejects.toMatchObject({
      code: 'server-gone',
      message: 'the broker was starting and is gone; what it printed last says why',
    })
  })

  test('goes on waiting for a server that was starting and is too busy to answer', async () => {
    let asked = 0
    const url = await http((_, response) => {
      asked += 1
      if (asked === 1) response.writeHead(503).end('{"status":"not ready","checks":{}}')
      // The second question is not answered, for longer than the server may be away.
      if (asked === 3) response.end('{"status":"ready"}')
    })
    await wait([address('broker', url)], { goneMs: 20 })
    expect(asked).toBe(3)
  })

  test('asks nothing of a server whose URL was given', async () => {
    await expect(wait([address('broker', undefined)])).resolves.toBeUndefined()
  })

  test('stops when it is told to', async () => {
    const url = await unusedUrl()
    const controller = new AbortController()
    const onChange = (awaited: readonly Awaited[]) => {
      expect(awaited).toHaveLength(1)
      controller.abort()
    }
    await expect(
      wait([address('broker', url)], { signal: controller.signal, onChange }),
    ).rejects.toMatchObject({
      code: 'interrupted',
    })
  })
})

describe('askReadiness', () => {
  test.each<[string, RequestListener, string]>([
    ['plain text', (_, response) => response.end('ok'), 'foreign'],
    ['404', (_, response) => response.writeHead(404).end('{"status":"no"}'), 'foreign'],
    ['other JSON', (_, response) => response.end('{"status":"up"}'), 'foreign'],
    ['ready with status 500', (_, response) => response.writeHead(500).end('{"status":"ready"}'), 'foreign'],
    ['a flood', (_, response) => response.end('x'.repeat(200_000)), 'foreign'],
    ['ready', (_, response) => response.end('{"status":"ready"}'), 'ready'],
  ])('takes %s for what it is', async (_, handler, state) => {
    expect(await askReadiness(await http(handler))).toMatchObject({ state })
  })

  test('knows a program that does not speak HTTP', async () => {
    const url = await listen(createTcpServer((socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n')))
    expect(await askReadiness(url)).toEqual({ state: 'foreign', detail: 'it does not speak HTTP' })
  })

  test('knows a program that hangs up on HTTP, as a TLS server may', async () => {
    const url = await listen(createTcpServer((socket) => socket.resetAndDestroy()))
    expect(await askReadiness(url)).toEqual({ state: 'foreign', detail: 'it hangs up on HTTP' })
  })

  test('does not hang on a program that accepts and says nothing', async () => {
    const url = await listen(createTcpServer(() => undefined))
    expect(await askReadiness(url, 50)).toEqual({ state: 'silent', detail: 'it does not answer' })
  })
})
