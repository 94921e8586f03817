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
  /** On those that stand and call themselves so nothing is heard any more; they stay open. */
  mute(name: string): void
}

/** Opens an address that leads to a port of loopback; `await using` or the test closes it. */
export async function openAddress(port: number): Promise<Address> {
  let target = port
  const sockets = new Set<Socket>()
  const names = new Map<Socket, string>()
  const server = createServer((near) => {
    const far = connect(target, '127.0.0.1')
    near.pipe(far)
    far.pipe(near)
    near.on('data', (bytes: Buffer) => {
      const name = /setname\r\n\$\d+\r\n(\S+)\r\n/i.exec(bytes.toString('latin1'))?.[1]
      if (name !== undefined) names.set(far, name)
    })
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.once('close', () => {
        sockets.delete(socket)
        names.delete(socket)
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
    mute: (name) => {
      const found = [...names].filter(([, each]) => each === name)
      if (found.length === 0) throw new Error(`no connection calls itself ${name}`)
      for (const [far] of found) {
        far.unpipe()
        far.resume()
      }
    },
    [Symbol.asyncDispose]: async () => {
      server.close()
      cut()
      await once(server, 'close')
    },
  }
}
