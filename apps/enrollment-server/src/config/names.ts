import { isIP } from 'node:net'
import { formatIpAddress, isSubjectAltName, parseIpAddress } from '@fleetroot/pki'

/**
 * Sorts host names from addresses: `['localhost', '0::1']` → `{ dns: ['localhost'], ip: ['::1'] }`. Addresses are
 * spelled as certificates are read (RFC 5952) and stand once each, so that they can be compared with those.
 */
export function splitNames(names: readonly string[]): { dns: string[]; ip: string[] } {
  const addresses = names.filter((name) => isIP(name) !== 0)
  return {
    dns: names.filter((name) => isIP(name) === 0),
    ip: [...new Set(addresses.map((text) => formatIpAddress(parseIpAddress(text))))],
  }
}

/** True for what a server's certificate can be for: a host name without wildcards, or an IP address. */
export function isServerName(name: string): boolean {
  return isIpAddress(name) || isHostName(name)
}

/** True for an IPv4 or IPv6 address as a certificate can carry it: without prefix and without zone. */
export function isIpAddress(text: string): boolean {
  return isSubjectAltName({ type: 'ip', value: text })
}

/** True for a host name without wildcards that nobody can read as an address. */
export function isHostName(text: string): boolean {
  // Two programs may read a name that ends in a number as two addresses (WHATWG URL, "ends in a number").
  return !text.startsWith('*') && !/(?:^|\.)\d+$/.test(text) && isSubjectAltName({ type: 'dns', value: text })
}
