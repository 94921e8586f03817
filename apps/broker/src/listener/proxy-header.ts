import { isIP } from 'node:net'

/** First 12 bytes of a PROXY protocol header, version 2: no TLS or MQTT begins like that. */
const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')

/** Bytes until the length of the rest is known. */
export const proxyHeaderStart = 16
/** Addresses take 36 at most; the rest is TLVs of the proxy, which are not looked at. */
export const maxProxyHeaderRest = 4_096

/** What the fixed part of a header says. */
export type ProxyHeaderStart =
  | { readonly command: 'local' | 'proxy'; readonly family: number; readonly restLength: number }
  | { readonly fault: string }

/**
 * Reads the first 16 bytes of a PROXY protocol header, version 2 (HAProxy's `proxy-protocol.txt`, section 2.2). A
 * fault: anything else, version 1 included, which is text and of no fixed length.
 *
 *     signature (12) | version 2, command (1) | family, protocol (1) | length of the rest (2)
 */
export function readProxyHeaderStart(bytes: Buffer): ProxyHeaderStart {
  if (!bytes.subarray(0, 12).equals(signature)) return { fault: 'no PROXY protocol header, version 2' }
  const version = bytes[12]! >> 4
  const command = bytes[12]! & 0x0f
  const restLength = bytes.readUInt16BE(14)
  if (version !== 2) return { fault: `PROXY protocol version ${version}, not 2` }
  if (command > 1) return { fault: `PROXY command ${command}; 0 and 1 are known` }
  if (restLength > maxProxyHeaderRest) return { fault: `a PROXY header of ${restLength} bytes` }
  return { command: command === 0 ? 'local' : 'proxy', family: bytes[13]!, restLength }
}

/**
 * Reads the addresses after the first 16 bytes: returns the address of the client. A fault: not TCP, or too short.
 *
 *     source address (4 or 16) | destination address (4 or 16) | source port (2) | destination port (2) | TLVs
 */
export function readProxyAddress(
  family: number,
  rest: Buffer,
): { readonly address: string } | { readonly fault: string } {
  const size = { 0x11: 4, 0x21: 16 }[family]
  if (size === undefined) return { fault: `PROXY family 0x${family.toString(16)}, not TCP over IPv4 or IPv6` }
  if (rest.length < 2 * size + 4) return { fault: 'a PROXY header that is too short for its addresses' }
  const source = rest.subarray(0, size)
  const address = size === 4 ? source.join('.') : ipv6Text(source)
  return isIP(address) === 0 ? { fault: 'a PROXY header without an address' } : { address }
}

function ipv6Text(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16))
  const isMapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes.readUInt16BE(10) === 0xffff
  return isMapped ? bytes.subarray(12).join('.') : groups.join(':')
}
