import { once } from 'node:events'
import type { Server, Socket } from 'node:net'

/** How a server ends. */
export interface Ending {
  /** Stops listening: who knocks from now on is refused by the system, and connections that are open stay. */
  readonly refuse: () => void
  /** The same, and cuts every connection that is left. */
  readonly close: () => Promise<void>
}

/**
 * Makes the two steps in which a TLS or HTTPS server ends. What it cuts are the TCP sockets below: one that has not
 * finished its handshake, or has left HTTP for a WebSocket or a refused upgrade, is on no other list, and a server
 * waits for all of them before it is closed.
 */
export function cuttable(server: Server): Ending {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  let closed: Promise<unknown> | undefined
  const refuse = (): void => {
    if (closed !== undefined) return
    closed = once(server, 'close')
    server.close()
  }
  return {
    refuse,
    close: async () => {
      refuse()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
