import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A way to Redis on which a node hears of what others have done this much later than it is told of what it has done itself. */
export async function openLateLog(
  redisPort: number,
  lateMs: number,
): Promise<{ readonly url: string } & AsyncDisposable> {
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(redisPort, '127.0.0.1')
    let isLog = false
    near.on('data', (bytes: Buffer) => {
      isLog ||= bytes.includes('fleetroot-broker-log')
      far.write(bytes)
    })
    far.on('data', (bytes: Buffer) => {
      if (isLog) setTimeout(() => near.write(bytes), lateMs)
      else near.write(bytes)
    })
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.once('close', () => other.destroy())
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}
