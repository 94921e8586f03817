import { isIPv6 } from 'node:net'

/**
 * What counts as one address: an IPv4 address, also where it is written as IPv6 (`::ffff:192.0.2.1`), and of IPv6 the
 * first 64 bits, because whoever has one address of such a network has them all (RFC 4291 section 2.5.1).
 */
export function networkOf(address: string): string {
  if (!isIPv6(address)) return address
  const text = address.split('%', 1)[0]!.toLowerCase()
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(text)
  if (mapped !== null) return mapped[1]!
  const [before = '', after] = text.split('::')
  const head = before === '' ? [] : before.split(':')
  const tail = after === undefined || after === '' ? [] : after.split(':')
  const zeros = Array.from({ length: Math.max(0, 8 - head.length - tail.length) }, () => '0')
  const groups = [...head, ...zeros, ...tail].slice(0, 4)
  return `${groups.map((group) => group.replace(/^0+(?=.)/, '')).join(':')}::/64`
}
