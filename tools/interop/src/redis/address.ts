import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** The one address of a Redis and its replicas, which leads to whichever is the master. */
export interface Address extends AsyncDisposable {
  /** `redis://127.0.0.1:PORT` */
  readonly url: string
  /** New connections go to this port of loopback; those that stand stay. */
  lead(port: number): void
  /** Ends those that stand. */
  cut(): void
}

/** Opens an address that leads to a port of loopback; `await using` or the test closes it. */
export async function openAddress(port: number): Promise<Address> {
  let target = port
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(target, '127.0.0.1')
    near.pipe(far)
    far.pipe(near)
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.once('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    lead: (next) => {
      target = next
    },
    cut,
    [Symbol.asyncDispose]: async () => {
      server.close()
      cut()
      await once(server, 'close')
    },
  }
}
