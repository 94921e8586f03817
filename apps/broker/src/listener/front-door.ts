import type { Server, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { AcceptGuard, Visit } from '../guard/accept-guard.ts'

type Connection = Socket & { readonly _parent?: Socket }

const visits = new WeakMap<Socket, Visit>()

/**
 * Puts the accept guard in front of a TLS or HTTPS server: a connection beyond the budget is reset before the server
 * has seen it, so that it costs no handshake. `prepare`, where given, has the connection first, before TLS, and
 * returns the address that it is counted against, or undefined when it has refused and cut it.
 */
export function guardDoor(
  server: Server,
  guard: AcceptGuard,
  prepare?: (socket: Socket) => Promise<string | undefined>,
): void {
  const handshakes = server.listeners('connection') as ((socket: Socket) => void)[]
  server.removeAllListeners('connection')

  function enter(socket: Socket, visit: Visit, address: string): void {
    if (visit.identify(address) !== undefined) return void socket.resetAndDestroy()
    for (const handshake of handshakes) handshake.call(server, socket)
  }

  async function prepareAndEnter(
    socket: Socket,
    visit: Visit,
    prepare: (socket: Socket) => Promise<string | undefined>,
  ): Promise<void> {
    const address = await prepare(socket)
    if (address !== undefined && !socket.destroyed) enter(socket, visit, address)
  }

  server.on('connection', (socket: Socket) => {
    const { remoteAddress } = socket
    const visit = remoteAddress === undefined ? undefined : guard.open(remoteAddress)
    if (remoteAddress === undefined || visit === undefined) return void socket.resetAndDestroy()
    visits.set(socket, visit)
    socket.once('close', () => visit.done())
    if (prepare === undefined) return enter(socket, visit, remoteAddress)
    void prepareAndEnter(socket, visit, prepare)
  })
}

/** The visit of a TLS connection that came through a front door. */
export function visitOf(socket: Duplex): Visit | undefined {
  // Node has no other way from a TLS socket to the TCP socket that it was made of.
  const tcp = (socket as Connection)._parent
  return tcp === undefined ? undefined : visits.get(tcp)
}
