import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * A TCP port on loopback that was free a moment ago, and that no other call, of this process or of one beside it, is
 * given while this process lives: for programs that must be told a port before they start, or that start again on it. It
 * lies below the range from which systems take ports for outgoing connections (from 32768 on Linux), so that
 * no connection of another test can have it by the time it is used.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 32_000)
    if ((await isClaimed(port)) && (await isFree(port))) return port
  }
}

/** Claims the port by holding the UDP port of the same number, which nothing here uses, until this process ends. */
async function isClaimed(port: number): Promise<boolean> {
  const claim = createSocket('udp4')
  try {
    claim.bind({ port, address: '127.0.0.1', exclusive: true })
    await once(claim, 'listening')
  } catch {
    claim.close()
    return false
  }
  claim.unref()
  return true
}

/** Does nothing listen on this port of loopback? */
export async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  try {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  } catch {
    return false
  }
  server.close()
  await once(server, 'close')
  return true
}
