import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer, type TLSSocket } from 'node:tls'
import type { Origin } from '../engine/session.ts'
import { cuttable } from './cut.ts'
import { guardDoor, visitOf } from './front-door.ts'
import type { Listener, ListenerOptions } from './listener.ts'
import { receive, reportHandshakeFailure } from './reception.ts'

/**
 * MQTT over TLS. There is no other kind of listener but its WebSocket twin: no plain text, nobody anonymous.
 * Rejects with Node's error when it cannot listen.
 */
export async function listenMqtts(options: ListenerOptions): Promise<Listener> {
  const { host, port, tls, accept, acceptGuard, handshakeTimeoutMs } = options
  const server = createServer({ ...tls, handshakeTimeout: handshakeTimeoutMs, noDelay: true })
  guardDoor(server, acceptGuard)
  const close = cuttable(server)

  server.on('secureConnection', (socket) => {
    const origin = originOf(socket)
    socket.on('error', () => undefined)
    const identity = receive(socket, origin, options)
    visitOf(socket)?.done()
    if (identity !== undefined) accept(socket, identity, origin)
  })
  server.on('tlsClientError', (error, socket) => {
    reportHandshakeFailure(error, socket, originOf(socket), options)
    socket.destroy()
  })
  server.listen({ host, port })
  await once(server, 'listening')

  return {
    port: (server.address() as AddressInfo).port,
    setSecureContext: (next) => server.setSecureContext(next),
    setTicketKeys: (keys) => server.setTicketKeys(keys),
    close,
  }
}

function originOf(socket: TLSSocket): Origin {
  return { listener: 'mqtts', address: visitOf(socket)?.address ?? 'gone' }
}
