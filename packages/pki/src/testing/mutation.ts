import * as fc from 'fast-check'
import { tlv } from '../der/writer.ts'

/** For fuzz tests: an element taken apart, so that it can be put together wrongly. */
interface Node {
  tag: number
  content: Node[] | Buffer
}

/** One thing to do to valid DER. */
type Mutation = (root: Node, pick: number, value: number) => void

/**
 * Valid DER, changed in one to four ways: octets (flipped, inserted, removed, cut off), and structure
 * (elements removed, repeated, swapped, retagged, emptied, put in place of one another), with every length
 * around the change made right again, so that the change reaches the parser behind the DER reader.
 */
export function mutated(samples: readonly Buffer[]): fc.Arbitrary<Buffer> {
  const change = fc.record({ kind: fc.nat(), pick: fc.nat(), value: fc.nat(255) })
  return fc
    .record({
      sample: fc.constantFrom(...samples),
      structure: fc.array(change, { maxLength: 3 }),
      octets: fc.array(change, { maxLength: 2 }),
    })
    .map(({ sample, structure, octets }) => {
      let der = Buffer.from(sample)
      if (structure.length > 0) {
        const root = takeApart(der)
        for (const { kind, pick, value } of structure) at(structureMutations, kind)(root, pick, value)
        der = putTogether(root)
      }
      for (const { kind, pick, value } of octets)
        der = at(octetMutations, kind)(der, pick % der.length, value)
      return der
    })
}

const octetMutations: ((der: Buffer, pick: number, value: number) => Buffer<ArrayBuffer>)[] = [
  (der, pick, value) => Buffer.concat([der.subarray(0, pick), Buffer.of(value), der.subarray(pick + 1)]),
  (der, pick, value) =>
    Buffer.concat([
      der.subarray(0, pick),
      Buffer.of((der[pick] ?? 0) ^ (1 << (value & 7))),
      der.subarray(pick + 1),
    ]),
  (der, pick, value) => Buffer.concat([der.subarray(0, pick), Buffer.of(value), der.subarray(pick)]),
  (der, pick) => Buffer.concat([der.subarray(0, pick), der.subarray(pick + 1)]),
  (der, pick) => Buffer.from(der.subarray(0, pick + 1)),
  (der, _, value) => Buffer.concat([der, Buffer.of(value)]),
]

const structureMutations: Mutation[] = [
  (root, pick, value) => {
    at(nodes(root), pick).tag = value
  },
  (root, pick, value) => {
    at(nodes(root), pick).tag ^= 1 << (value & 7)
  },
  (root, pick, value) => {
    const { content } = at(nodes(root), pick)
    if (content.length > 0 && !Buffer.isBuffer(content)) content.splice(value % content.length, 1)
  },
  (root, pick, value) => {
    const { content } = at(nodes(root), pick)
    if (content.length > 0 && !Buffer.isBuffer(content)) content.push(copy(at(content, value)))
  },
  (root, pick) => {
    const { content } = at(nodes(root), pick)
    if (!Buffer.isBuffer(content)) content.reverse()
  },
  (root, pick, value) => {
    const node = at(nodes(root), pick)
    if (Buffer.isBuffer(node.content)) node.content = Buffer.concat([Buffer.of(value), node.content])
  },
  (root, pick, value) => {
    const node = at(nodes(root), pick)
    if (Buffer.isBuffer(node.content))
      node.content = Buffer.from(node.content.subarray(value & 1 ? 1 : 0, -1))
  },
  (root, pick) => {
    at(nodes(root), pick).content = Buffer.alloc(0)
  },
  (root, pick, value) => {
    Object.assign(at(nodes(root), pick), copy(at(nodes(root), value)))
  },
]

function at<T>(list: readonly T[], index: number): T {
  const item = list[index % list.length]
  if (item === undefined) throw new Error('an empty list')
  return item
}

function nodes(node: Node): Node[] {
  return [node, ...(Buffer.isBuffer(node.content) ? [] : node.content.flatMap(nodes))]
}

function copy({ tag, content }: Node): Node {
  return { tag, content: Buffer.isBuffer(content) ? Buffer.from(content) : content.map(copy) }
}

/** Reads valid DER with lengths under 64 KiB; OCTET STRINGs that hold an element are taken apart as well. */
function takeApart(der: Buffer): Node {
  const tag = der[0] ?? 0
  const content = der.subarray(headerLength(der))
  if ((tag & 0x20) === 0 && !(tag === 0x04 && holdsElement(content)))
    return { tag, content: Buffer.from(content) }
  const children: Node[] = []
  for (let start = 0; start < content.length;) {
    const rest = content.subarray(start)
    const end = elementLength(rest)
    children.push(takeApart(rest.subarray(0, end)))
    start += end
  }
  return { tag, content: children }
}

function holdsElement(content: Buffer): boolean {
  return content[0] === 0x30 && elementLength(content) === content.length
}

function headerLength(der: Buffer): number {
  const first = der[1] ?? 0
  return first < 0x80 ? 2 : 2 + (first & 0x7f)
}

function elementLength(der: Buffer): number {
  const header = headerLength(der)
  return header + (header === 2 ? (der[1] ?? 0) : der.readUIntBE(2, header - 2))
}

function putTogether({ tag, content }: Node): Buffer<ArrayBuffer> {
  return Buffer.from(tlv(tag, ...(Buffer.isBuffer(content) ? [content] : content.map(putTogether))))
}
