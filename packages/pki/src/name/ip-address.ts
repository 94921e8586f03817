import { PkiError } from '../error.ts'

/** Text to octets: 4 for IPv4, 16 for IPv6. Refuses zone ids, prefixes and old octal or short IPv4 forms. */
export function parseIpAddress(text: string): Buffer {
  const octets = text.includes(':') ? parseIpv6(text) : parseIpv4(text)
  if (octets !== undefined) return octets
  throw new PkiError(
    'subject-alt-name-invalid',
    `subject alternative name: ${JSON.stringify(text)} is not an IP address`,
  )
}

/** Octets to text: dotted for 4, RFC 5952 for 16. */
export function formatIpAddress(octets: Uint8Array): string {
  if (octets.length === 4) return octets.join('.')
  if (octets.length !== 16) {
    throw new PkiError(
      'subject-alt-name-invalid',
      `subject alternative name: an IP address of ${octets.length} octets`,
    )
  }
  const groups = Array.from({ length: 8 }, (_, n) => ((octets[n * 2] ?? 0) << 8) | (octets[n * 2 + 1] ?? 0))
  const hex = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':')
  const { start, length } = longestZeroRun(groups)
  // RFC 5952 section 4.2: only a run of two or more groups is shortened, the first of the longest.
  return length < 2 ? hex(0, 8) : `${hex(0, start)}::${hex(start + length, 8)}`
}

function parseIpv4(text: string): Buffer | undefined {
  const parts = text.split('.')
  if (
    parts.length !== 4 ||
    !parts.every((part) => /^(?:0|[1-9][0-9]{0,2})$/.test(part) && Number(part) < 256)
  ) {
    return undefined
  }
  return Buffer.from(parts.map(Number))
}

function parseIpv6(text: string): Buffer | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const parsed = halves.map((half, index) => parseGroups(half, index === halves.length - 1))
  const [head, tail = []] = parsed
  if (head === undefined || parsed.includes(undefined)) return undefined
  const missing = 16 - head.length - tail.length
  // "::" stands for one group at least (RFC 4291 section 2.2).
  if (halves.length === 1 ? missing !== 0 : missing < 2) return undefined
  return Buffer.from([...head, ...Array.from({ length: missing }, () => 0), ...tail])
}

/** Octets of `1:2` or, at the end of an address, `1:2:a.b.c.d`; undefined when a group is not one. */
function parseGroups(text: string, atEnd: boolean): number[] | undefined {
  if (text === '') return []
  const groups = text.split(':')
  const octets: number[] = []
  for (const [index, group] of groups.entries()) {
    const ipv4 = atEnd && index === groups.length - 1 ? parseIpv4(group) : undefined
    if (ipv4 !== undefined) octets.push(...ipv4)
    else if (/^[0-9a-fA-F]{1,4}$/.test(group)) octets.push(...Buffer.from(group.padStart(4, '0'), 'hex'))
    else return undefined
  }
  return octets
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 }
  let start = 0
  for (const [index, group] of groups.entries()) {
    if (group !== 0) start = index + 1
    else if (index + 1 - start > best.length) best = { start, length: index + 1 - start }
  }
  return best
}
