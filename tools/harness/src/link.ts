import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** What a link does to connections: carries them, refuses and cuts them, or swallows all that is sent. */
export type LinkState = 'up' | 'cut' | 'silent'

/** A network between two processes, which a test can break. */
export interface Link {
  readonly port: number
  /** From now on. `cut` ends the connections that stand. */
  set(state: LinkState): void
  /** On TLS connections from now on the handshake passes, then what is sent, and no answer to it. */
  loseAnswers(): void
  close(): Promise<void>
}

/** Opens a port on loopback behind which is `127.0.0.1:port`, the far end; the test closes it. */
export async function openLink(port: number): Promise<Link> {
  let state: LinkState = 'up'
  let losesAnswers = false
  const sockets = new Set<Socket>()
  const keep = (socket: Socket): Socket => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('close', () => sockets.delete(socket))
    return socket
  }
  const server = createServer((near) => {
    keep(near)
    if (state === 'cut') return near.destroy()
    const far = keep(connect(port, '127.0.0.1'))
    // A TLS client that speaks again after the server's first flight has taken in the whole of it.
    const stage = { isAnswered: false, isOver: false }
    near.on('data', (bytes) => {
      if (losesAnswers && stage.isAnswered) stage.isOver = true
      if (state === 'up') far.write(bytes)
    })
    far.on('data', (bytes) => {
      stage.isAnswered = true
      if (state === 'up' && !stage.isOver) near.write(bytes)
    })
    near.once('close', () => far.destroy())
    far.once('close', () => near.destroy())
    return undefined
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    port: (server.address() as AddressInfo).port,
    set: (next) => {
      state = next
      losesAnswers = false
      // What was swallowed is missing from the middle of these connections.
      if (next !== 'silent') cut()
    },
    loseAnswers: () => {
      losesAnswers = true
    },
    close: async () => {
      server.close()
      cut()
      await once(server, 'close')
    },
  }
}
