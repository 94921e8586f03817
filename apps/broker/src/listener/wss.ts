import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { createWebSocketStream, WebSocketServer } from 'ws'
import { count } from '../metrics/counts.ts'
import type { Origin } from '../engine/session.ts'
import { cuttable } from './cut.ts'
import { guardDoor, visitOf } from './front-door.ts'
import { backlog, type Listener, type ListenerOptions } from './listener.ts'
import { receive, reportHandshakeFailure } from './reception.ts'

/** Where the WebSocket is. */
const path = '/mqtt'
/** How long a refused client may take to read its answer. */
const refusalTimeoutMs = 2_000

/**
 * MQTT over secure WebSocket (MQTT 3.1.1 section 6) with the same admission as `listenMqtts`, before the HTTP
 * request is answered. Refused: another path, a client that does not offer the subprotocol `mqtt`, a text
 * frame [MQTT-6.0.0-1], and any request with an Origin header: a browser sends the user's client certificate
 * to us on behalf of whatever page is open, and no page is known here.
 */
export async function listenWss(options: ListenerOptions & { maxFrameBytes: number }): Promise<Listener> {
  const {
    name,
    host,
    port,
    isShared = false,
    tls,
    accept,
    counts,
    log,
    maxFrameBytes,
    handshakeTimeoutMs,
  } = options
  const server = createServer(
    {
      ...tls,
      handshakeTimeout: handshakeTimeoutMs,
      noDelay: true,
      requestTimeout: handshakeTimeoutMs,
      headersTimeout: handshakeTimeoutMs,
      connectionsCheckingInterval: Math.min(2_000, handshakeTimeoutMs),
    },
    (_request, response) => {
      response
        .writeHead(426, { connection: 'close', upgrade: 'websocket' })
        .end('MQTT over WebSocket is at /mqtt\n')
    },
  )
  guardDoor(server, options)
  const ending = cuttable(server)
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: maxFrameBytes,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has('mqtt') ? 'mqtt' : false),
  })

  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => undefined)
    const received = receive(socket as TLSSocket, originOf(socket, name), options)
    visitOf(socket)?.done()
    if (received === undefined) return
    const { identity, origin } = received
    const refusal = refuseUpgrade(request)
    if (refusal !== undefined) {
      count(counts.refused, refusal.code)
      log.warn(
        { ...origin, deviceId: identity.id, reason: refusal.code, detail: refusal.detail },
        'connection refused',
      )
      return endWith(refusal.status, socket)
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      const stream = createWebSocketStream(webSocket)
      webSocket.prependListener('message', (_data, isBinary) => {
        if (!isBinary) stream.destroy()
      })
      accept(stream, identity, origin)
    })
  })
  server.on('tlsClientError', (error, socket) =>
    reportHandshakeFailure(error, socket, originOf(socket, name), options),
  )
  server.listen({ host, port, backlog, reusePort: isShared })
  await once(server, 'listening')

  return {
    port: (server.address() as AddressInfo).port,
    setSecureContext: (next) => server.setSecureContext(next),
    setTicketKeys: (keys) => server.setTicketKeys(keys),
    ...ending,
  }
}

interface UpgradeRefusal {
  readonly code: 'websocket-path' | 'websocket-origin' | 'websocket-protocol'
  readonly status: string
  readonly detail: string
}

function refuseUpgrade({ url, headers }: IncomingMessage): UpgradeRefusal | undefined {
  if (url !== path) {
    return { code: 'websocket-path', status: '404 Not Found', detail: `the path is not ${path}` }
  }
  if (headers.origin !== undefined) {
    return { code: 'websocket-origin', status: '403 Forbidden', detail: 'the request comes from a web page' }
  }
  const offered = headers['sec-websocket-protocol']?.split(',').map((name) => name.trim()) ?? []
  if (!offered.includes('mqtt')) {
    const detail = 'the subprotocol mqtt is not offered [MQTT-6.0.0-3]'
    return { code: 'websocket-protocol', status: '400 Bad Request', detail }
  }
  return undefined
}

/** Answers, and closes both directions: HTTP has let go of the socket, so that nobody else does. */
function endWith(status: string, socket: Duplex): void {
  const deadline = setTimeout(() => socket.destroy(), refusalTimeoutMs)
  socket.once('close', () => clearTimeout(deadline))
  socket.once('finish', () => socket.destroy())
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}

function originOf(socket: Duplex, listener: string): Origin {
  return { listener, address: visitOf(socket)?.address ?? 'gone' }
}
