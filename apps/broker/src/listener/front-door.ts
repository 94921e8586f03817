import type { Server, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { AcceptGuard, Visit } from '../guard/accept-guard.ts'
import { readProxyHeader, type TrustedProxies } from './proxied.ts'

type Connection = Socket & { readonly _parent?: Socket }

const visits = new WeakMap<Socket, Visit>()

/** What a front door goes by. */
export interface DoorOptions {
  readonly acceptGuard: AcceptGuard
  /** Connections from these begin with a PROXY header; from others they must not. */
  readonly proxies?: TrustedProxies | undefined
  /** Time for the PROXY header. */
  readonly handshakeTimeoutMs: number
}

/**
 * Puts the accept guard in front of a TLS or HTTPS server: a connection beyond the budget is reset before the server
 * has seen it, so that it costs no handshake. What a trusted proxy says about the client is read before TLS, and the
 * guard counts the client's own address. Where nobody is trusted to say such a thing, a PROXY header is no TLS and
 * the connection ends.
 */
export function guardDoor(server: Server, { acceptGuard, proxies, handshakeTimeoutMs }: DoorOptions): void {
  const handshakes = server.listeners('connection') as ((socket: Socket) => void)[]
  server.removeAllListeners('connection')

  function enter(socket: Socket, visit: Visit, address: string): void {
    if (visit.identify(address) !== undefined) return void socket.resetAndDestroy()
    for (const handshake of handshakes) handshake.call(server, socket)
  }

  async function enterThroughProxy(socket: Socket, visit: Visit): Promise<void> {
    const found = await readProxyHeader(socket, handshakeTimeoutMs)
    if ('address' in found) {
      if (!socket.destroyed) enter(socket, visit, found.address)
      return
    }
    acceptGuard.refuse('proxy-header', visit.address, found.fault)
    socket.destroy()
  }

  server.on('connection', (socket: Socket) => {
    const { remoteAddress } = socket
    const visit = remoteAddress === undefined ? undefined : acceptGuard.open(remoteAddress)
    if (remoteAddress === undefined || visit === undefined) {
      socket.resetAndDestroy()
      return
    }
    visits.set(socket, visit)
    socket.once('close', () => visit.done())
    if (proxies?.has(remoteAddress) === true) void enterThroughProxy(socket, visit)
    else enter(socket, visit, remoteAddress)
  })
}

/** The visit of a TLS connection that came through a front door. */
export function visitOf(socket: Duplex): Visit | undefined {
  // Node has no other way from a TLS socket to the TCP socket that it was made of.
  const tcp = (socket as Connection)._parent
  return tcp === undefined ? undefined : visits.get(tcp)
}
