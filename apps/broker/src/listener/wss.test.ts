import { once } from 'node:events'
import { request } from 'node:https'
import { connect as connectTcp } from 'node:net'
import { connect } from 'node:tls'
import { clientTlsOptions } from '@fleetroot/tls-config'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type ClientOptions, createWebSocketStream, WebSocket } from 'ws'
import { type LiveBroker, startLiveBroker } from '../testing/live-broker.ts'
import { WireClient } from '../testing/wire-client.ts'

let live: LiveBroker

beforeEach(async () => {
  live = await startLiveBroker()
})
afterEach(async () => {
  await live.close()
})

async function open(path: string, protocols: string[], options: ClientOptions = {}): Promise<WebSocket> {
  const identity = await live.issue('device', 'x')
  const tls = clientTlsOptions({ trust: [live.authority.root.pem], identity, mode: 'compatible' })
  const url = `wss://127.0.0.1:${live.broker.ports.wss}${path}`
  return new WebSocket(url, protocols, { ...(tls as object), ...options })
}

/** The HTTP status with which an upgrade was refused. */
async function refusedWith(webSocket: WebSocket): Promise<number> {
  const [, response] = (await once(webSocket, 'unexpected-response')) as [unknown, { statusCode: number }]
  webSocket.on('error', () => undefined)
  webSocket.terminate()
  return response.statusCode
}

test('the subprotocol mqtt is chosen among others [MQTT-6.0.0-3]', async () => {
  const webSocket = await open('/mqtt', ['chat', 'mqtt'])
  await once(webSocket, 'open')
  expect(webSocket.protocol).toBe('mqtt')
  const client = new WireClient(createWebSocketStream(webSocket))
  expect((await client.connect({ clientId: 'x' })).returnCode).toBe(0)
})

test.each(['/', '/mqtt/', '/mqtt?x=1', '/MQTT', '/other'])('the path %s is refused', async (path) => {
  expect(await refusedWith(await open(path, ['mqtt']))).toBe(404)
})

test('a client that does not offer mqtt is refused', async () => {
  expect(await refusedWith(await open('/mqtt', ['chat']))).toBe(400)
  expect(await refusedWith(await open('/mqtt', []))).toBe(400)
})

test('a request from a web page is refused, whatever certificate its browser has', async () => {
  expect(await refusedWith(await open('/mqtt', ['mqtt'], { origin: 'https://evil.example' }))).toBe(403)
  expect(Object.fromEntries(live.broker.counts.refused)).toEqual({ 'websocket-origin': 1 })
})

test('a refused upgrade is closed, though the client keeps its side open', async () => {
  const identity = await live.issue('device', 'x')
  const socket = connect({
    ...clientTlsOptions({ trust: [live.authority.root.pem], identity, mode: 'compatible' }),
    // Carried by a socket that stays half-open when the broker closes its side.
    socket: connectTcp({ port: live.broker.ports.wss, host: '127.0.0.1', allowHalfOpen: true }),
  })
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.on('error', () => undefined)
  socket.write(
    'GET /other HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${'x'.repeat(22)}==\r\n\r\n`,
  )
  const [answer] = (await once(socket, 'data')) as [Buffer]
  expect(answer.toString()).toMatch(/^HTTP\/1\.1 404 /)
  // What is sent to a closed socket is answered with a reset.
  const sending = setInterval(() => socket.write('x'), 10)
  await closed
  clearInterval(sending)
})

test('a text frame ends the connection [MQTT-6.0.0-1]', async () => {
  const webSocket = await open('/mqtt', ['mqtt'])
  await once(webSocket, 'open')
  webSocket.send('\u0010\u000d\u0000\u0004MQTT\u0004\u0002\u0000\u003c\u0000\u0001x')
  await once(webSocket, 'close')
  expect(live.broker.counts.admitted).toBe(0)
})

test('packets may be cut and joined across frames', async () => {
  const webSocket = await open('/mqtt', ['mqtt'])
  await once(webSocket, 'open')
  const client = new WireClient(createWebSocketStream(webSocket))
  const connect = Buffer.of(0x10, 13, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 60, 0, 1, 0x78)
  for (const byte of connect.subarray(0, -1)) webSocket.send(Buffer.of(byte))
  webSocket.send(Buffer.concat([connect.subarray(-1), Buffer.of(0xc0, 0, 0xc0, 0)]))
  expect((await client.receive('connack')).returnCode).toBe(0)
  await client.receive('pingresp')
  await client.receive('pingresp')
})

test('plain HTTPS is told where the WebSocket is', async () => {
  const identity = await live.issue('device', 'x')
  const tls = clientTlsOptions({ trust: [live.authority.root.pem], identity, mode: 'compatible' })
  const outgoing = request({ ...tls, host: '127.0.0.1', port: live.broker.ports.wss, path: '/mqtt' }).end()
  const [response] = (await once(outgoing, 'response')) as [{ statusCode: number; resume: () => void }]
  response.resume()
  expect(response.statusCode).toBe(426)
})
