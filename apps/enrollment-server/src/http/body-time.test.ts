import { once } from 'node:events'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { limitBodyTime } from './body-time.ts'

let server: Server
let codes: (string | undefined)[]
let timeoutMs: number
beforeEach(async () => {
  codes = []
  timeoutMs = 50
  server = createServer((incoming, response) => {
    limitBodyTime(incoming, server, timeoutMs)
    incoming.resume().on('end', () => response.end('all of it'))
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    codes.push(error.code)
    socket.destroy()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterEach(() => new Promise((resolve) => server.close(resolve)))

const start = (headers: Record<string, string>) =>
  request({
    port: (server.address() as AddressInfo).port,
    host: '127.0.0.1',
    method: 'POST',
    agent: false,
    headers,
  })

it('ends a connection whose body stops coming, as Node ends one whose request does', async () => {
  const outgoing = start({ 'content-length': '10' })
  outgoing.write('half')
  const [error] = (await once(outgoing, 'error')) as [NodeJS.ErrnoException]
  expect(error.code).toBe('ECONNRESET')
  expect(codes).toEqual(['ERR_HTTP_REQUEST_TIMEOUT'])
})

it('leaves a body alone that has come, and a request that has none', async () => {
  timeoutMs = 10_000
  for (const body of ['all', '']) {
    const outgoing = start(body === '' ? {} : { 'content-length': '3' })
    outgoing.end(body)
    const [response] = await once(outgoing, 'response')
    expect(response).toMatchObject({ statusCode: 200 })
    await once(response.resume(), 'end')
  }
  expect(codes).toEqual([])
})
