import type { Server } from 'node:http'
import type { Socket } from 'node:net'

/** How long open requests may take when the server stops; the whole process has 10 s. */
const graceMs = 5000

/**
 * Returns the function that closes a server: what is asked is answered, connections close as soon as they are
 * idle, and after 5 s those that are left are cut, unfinished handshakes included. Without it one client that
 * keeps a connection alive, or never finishes its handshake, keeps the process from ending.
 */
export function drainable(server: Server): (stop: () => Promise<void>) => Promise<void> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  return async (stop) => {
    // A connection whose request was under way when the stop began becomes idle later.
    const sweep = setInterval(() => server.closeIdleConnections(), 50)
    const cut = setTimeout(() => {
      for (const socket of sockets) socket.destroy()
    }, graceMs)
    try {
      await stop()
    } finally {
      clearInterval(sweep)
      clearTimeout(cut)
    }
  }
}
