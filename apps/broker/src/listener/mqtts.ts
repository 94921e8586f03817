import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer, type TLSSocket } from 'node:tls'
import type { Origin } from '../engine/session.ts'
import { cuttable } from './cut.ts'
import { guardDoor, visitOf } from './front-door.ts'
import { backlog, type Listener, type ListenerOptions } from './listener.ts'
import { receive, reportHandshakeFailure } from './reception.ts'

/**
 * MQTT over TLS. There is no other kind of listener but its WebSocket twin: no plain text, nobody anonymous.
 * Rejects with Node's error when it cannot listen.
 */
export async function listenMqtts(options: ListenerOptions): Promise<Listener> {
  const { name, host, port, isShared = false, tls, accept, handshakeTimeoutMs } = options
  const server = createServer({ ...tls, handshakeTimeout: handshakeTimeoutMs, noDelay: true })
  guardDoor(server, options)
  const ending = cuttable(server)

  server.on('secureConnection', (socket) => {
    socket.on('error', () => undefined)
    const received = receive(socket, originOf(socket, name), options)
    visitOf(socket)?.done()
    if (received !== undefined) accept(socket, received.identity, received.origin)
  })
  server.on('tlsClientError', (error, socket) => {
    reportHandshakeFailure(error, socket, originOf(socket, name), options)
    socket.destroy()
  })
  server.listen({ host, port, backlog, reusePort: isShared })
  await once(server, 'listening')

  return {
    port: (server.address() as AddressInfo).port,
    setSecureContext: (next) => server.setSecureContext(next),
    setTicketKeys: (keys) => server.setTicketKeys(keys),
    ...ending,
  }
}

function originOf(socket: TLSSocket, listener: string): Origin {
  return { listener, address: visitOf(socket)?.address ?? 'gone' }
}
