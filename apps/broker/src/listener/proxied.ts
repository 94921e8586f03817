import { BlockList, isIP, isIPv6, type Socket } from 'node:net'
import {
  maxProxyHeaderRest,
  proxyHeaderStart,
  readProxyAddress,
  readProxyHeaderStart,
} from './proxy-header.ts'

/** Who may say on whose behalf a connection comes. */
export interface TrustedProxies {
  readonly has: (address: string) => boolean
}

/**
 * Reads addresses and networks (`192.0.2.7`, `10.0.0.0/8`, `2001:db8::/32`). Returns the one that is neither, as
 * text, for whoever wrote it.
 */
export function readProxies(networks: readonly string[]): TrustedProxies | { readonly fault: string } {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', prefix, more] = network.split('/')
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    const bits = family === 'ipv6' ? 128 : 32
    const length = prefix === undefined ? bits : Number(prefix)
    const isLength = /^\d{1,3}$/.test(prefix ?? '0') && length >= 1 && length <= bits
    if (isIP(address) === 0 || !isLength || more !== undefined) {
      return { fault: `"${network}" is not an address or a network such as 192.0.2.7 or 10.0.0.0/8` }
    }
    list.addSubnet(address, length, family)
  }
  return { has: (address) => list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4') }
}

/** What came of waiting for a PROXY header. */
export type ProxiedAddress = { readonly address: string } | { readonly fault: string }

/**
 * Takes the PROXY protocol header off a connection from a trusted proxy, and leaves the rest, which is TLS, where it is.
 * A connection that the proxy makes for itself, to see whether we are there, has the proxy's own address.
 * Resolves in any case: to a fault when there is no header within `timeoutMs`, or not one that can be read.
 */
export async function readProxyHeader(socket: Socket, timeoutMs: number): Promise<ProxiedAddress> {
  const own = socket.remoteAddress ?? ''
  const deadline = setTimeout(() => socket.destroy(), timeoutMs)
  try {
    const first = await readExactly(socket, proxyHeaderStart)
    if (first === undefined) return { fault: 'the connection ended before a PROXY header had come' }
    const start = readProxyHeaderStart(first)
    if ('fault' in start) return start
    const rest = start.restLength === 0 ? Buffer.alloc(0) : await readExactly(socket, start.restLength)
    if (rest === undefined) return { fault: 'the connection ended within a PROXY header' }
    return start.command === 'local' ? { address: own } : readProxyAddress(start.family, rest)
  } finally {
    clearTimeout(deadline)
  }
}

/** The next `size` bytes, at most `maxProxyHeaderRest`; undefined when the connection ends before. */
function readExactly(socket: Socket, size: number): Promise<Buffer | undefined> {
  if (size > maxProxyHeaderRest) throw new RangeError(`${size} bytes of a PROXY header`)
  return new Promise((resolve) => {
    const finish = (bytes: Buffer | undefined): void => {
      socket.off('readable', look)
      socket.off('close', end)
      socket.off('error', end)
      resolve(bytes)
    }
    const end = (): void => finish(undefined)
    const look = (): void => {
      const bytes = socket.read(size) as Buffer | null
      // At the end of the stream `read` returns what there is, however little.
      if (bytes !== null) finish(bytes.length === size ? bytes : undefined)
    }
    socket.on('readable', look)
    socket.on('close', end)
    socket.on('error', end)
    look()
  })
}
