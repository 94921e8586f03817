import { once } from 'node:events'
import type { Server, Socket } from 'node:net'

/**
 * Returns the function that closes a TLS or HTTPS server and cuts every connection that is left. What it cuts are the
 * TCP sockets below: one that has not finished its handshake, or has left HTTP for a WebSocket or a refused upgrade,
 * is on no other list, and a server waits for all of them before it is closed.
 */
export function cuttable(server: Server): () => Promise<void> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  return async () => {
    const closed = once(server, 'close')
    server.close()
    for (const socket of sockets) socket.destroy()
    await closed
  }
}
