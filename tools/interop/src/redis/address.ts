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
  /** Whoever calls itself so hears everything this much later. */
  delay(name: string, ms: number): void
  /** Ends the next connection on which this command is sent, instead of passing it on; resolves then. */
  cutAt(command: string): Promise<void>
}

/** Opens an address that leads to a port of loopback; `await using` or the test closes it. */
export async function openAddress(port: number): Promise<Address> {
  let target = port
  const sockets = new Set<Socket>()
  const names = new Map<Socket, string>()
  const lateMs = new Map<string, number>()
  const muted = new Set<Socket>()
  const traps = new Map<string, () => void>()
  const server = createServer((near) => {
    const far = connect(target, '127.0.0.1')
    near.on('data', (bytes: Buffer) => {
      const text = bytes.toString('latin1')
      const name = /setname\r\n\$\d+\r\n(\S+)\r\n/i.exec(text)?.[1]
      if (name !== undefined) names.set(far, name)
      // As a command, not as a word of a script that is handed over.
      const trap = [...traps.keys()].find((name) =>
        new RegExp(`\\*\\d+\\r\\n\\$\\d+\\r\\n${name}\\r\\n`, 'i').test(text),
      )
      if (trap === undefined) far.write(bytes)
      else {
        traps.get(trap)!()
        traps.delete(trap)
        near.destroy()
      }
    })
    near.once('end', () => far.end())
    far.on('data', (bytes: Buffer) => {
      if (muted.has(far)) return
      const ms = lateMs.get(names.get(far) ?? '')
      if (ms === undefined) near.write(bytes)
      else setTimeout(() => near.write(bytes), ms)
    })
    far.once('end', () => near.end())
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.once('close', () => {
        sockets.delete(socket)
        names.delete(socket)
        muted.delete(socket)
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
      for (const [far] of found) muted.add(far)
    },
    delay: (name, ms) => void lateMs.set(name, ms),
    cutAt: (command) => new Promise((resolve) => traps.set(command, resolve)),
    [Symbol.asyncDispose]: async () => {
      server.close()
      cut()
      await once(server, 'close')
    },
  }
}

/** An address at which a node hears of what others have done this much later than it is told of what it has done itself. */
export async function openLateLog(port: number, ms: number): Promise<Address> {
  const address = await openAddress(port)
  address.delay('fleetroot-broker-log', ms)
  return address
}
