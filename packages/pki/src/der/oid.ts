import { derProblem } from './problem.ts'
import { PkiError } from '../error.ts'

/** Longer than any object identifier in use; a UUID arc (2.25.x) needs 20 octets. */
const maxOidOctets = 64

// Every CSR and certificate repeats the same dozen identifiers. They are remembered by a digest of their content octets,
// which needs no string for each, and compared; of two with one digest the later is remembered. Strangers are decoded
// afresh and never kept, so a peer cannot make the map grow.
const known = new Map<number, { readonly content: Buffer; readonly oid: string }>()
const knownContents = new Map<string, Buffer>()

/** Has {@link decodeOid} and {@link encodeOidContent} remember identifiers that this package knows by name. */
export function rememberOids(oids: Iterable<string>): void {
  for (const oid of oids) {
    const content = encodeOidContent(oid)
    known.set(digest(content, 0, content.length), { content, oid })
    knownContents.set(oid, content)
  }
}

/**
 * Decodes the content octets of an OBJECT IDENTIFIER into dotted form. Arcs may have any size.
 *
 * @throws PkiError `der-invalid` for an empty, cut-off, non-minimal or over-long identifier (X.690 8.19)
 */
export function decodeOid(bytes: Buffer, start: number, end: number, what: string): string {
  const remembered = known.get(digest(bytes, start, end))
  if (remembered !== undefined && hasAt(bytes, start, end, remembered.content)) return remembered.oid
  const octets = end - start
  if (octets === 0) throw derProblem(what, 'an empty object identifier', start)
  if (octets > maxOidOctets) throw derProblem(what, `an object identifier of ${octets} octets`, start)
  if (((bytes[end - 1] ?? 0) & 0x80) !== 0) throw derProblem(what, 'an object identifier cut off', start)

  const arcs: string[] = []
  let arc = 0n
  let fresh = true
  for (let at = start; at < end; at += 1) {
    const octet = bytes[at] ?? 0
    if (fresh && octet === 0x80) throw derProblem(what, 'an object identifier with a padded arc', at)
    arc = (arc << 7n) | BigInt(octet & 0x7f)
    fresh = (octet & 0x80) === 0
    if (!fresh) continue
    if (arcs.length === 0) {
      const root = arc < 40n ? 0n : arc < 80n ? 1n : 2n
      arcs.push(String(root), String(arc - root * 40n))
    } else arcs.push(String(arc))
    arc = 0n
  }
  return arcs.join('.')
}

/**
 * The content octets of a dotted object identifier, shared: do not change them. Refuses anything else with
 * PkiError `der-invalid`.
 */
export function encodeOidContent(oid: string): Buffer {
  const remembered = knownContents.get(oid)
  if (remembered !== undefined) return remembered
  if (!/^(?:[01]\.[1-3]?[0-9]|2\.(?:0|[1-9][0-9]*))(?:\.(?:0|[1-9][0-9]*))*$/.test(oid)) {
    throw new PkiError('der-invalid', `object identifier: ${JSON.stringify(oid)} is not in dotted form`)
  }
  const [root = 0n, second = 0n, ...rest] = oid.split('.').map(BigInt)
  const octets: number[] = []
  for (const arc of [root * 40n + second, ...rest]) {
    const groups = [Number(arc & 0x7fn)]
    for (let left = arc >> 7n; left > 0n; left >>= 7n) groups.unshift(Number(left & 0x7fn) | 0x80)
    octets.push(...groups)
  }
  if (octets.length > maxOidOctets) {
    throw new PkiError(
      'der-invalid',
      `object identifier: ${octets.length} octets, at most ${maxOidOctets} are allowed`,
    )
  }
  return Buffer.from(octets)
}

function digest(bytes: Buffer, start: number, end: number): number {
  let sum = end - start
  for (let at = start; at < end && at < start + maxOidOctets; at += 1) {
    sum = (Math.imul(sum, 31) + (bytes[at] ?? 0)) | 0
  }
  return sum
}

function hasAt(bytes: Buffer, start: number, end: number, content: Buffer): boolean {
  if (end - start !== content.length) return false
  for (let at = 0; at < content.length; at += 1) if (bytes[start + at] !== content[at]) return false
  return true
}
