import { createRequire } from 'node:module'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readDer } from './reader.ts'
import { Tag } from './tag.ts'
import * as der from './writer.ts'

// node-forge has no types of its own. It reads BER, so it accepts more than we do, but whatever we accept it
// must read as the same tree.
interface ForgeNode {
  tagClass: number
  type: number
  constructed: boolean
  value: string | ForgeNode[]
}
interface ForgeAsn1 {
  fromDer(bytes: string, options: { strict: boolean; decodeBitStrings: boolean }): ForgeNode
  toDer(node: ForgeNode): { getBytes(): string }
}
const { asn1 } = createRequire(import.meta.url)('node-forge') as { asn1: ForgeAsn1 }

const primitives = fc.oneof(
  fc.bigInt().map((value) => der.integer(value)),
  fc.boolean().map((value) => der.boolean(value)),
  fc.uint8Array().map((value) => der.octetString(value)),
  fc.uint8Array().map((value) => der.bitString(value)),
  fc.string({ unit: 'binary' }).map((value) => der.string('utf8', value)),
  fc.constantFrom('2.5.4.3', '1.2.840.113549.1.1.11').map((value) => der.oid(value)),
  fc.constant(der.nullValue()),
  fc.integer({ min: 0, max: 511 }).map((value) => der.namedBits(value)),
)
const { tree } = fc.letrec<{ tree: Buffer }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 6, withCrossShrink: true },
    primitives,
    fc.array(tie('tree'), { maxLength: 5 }).map((parts) => der.sequence(...parts)),
    fc.array(tie('tree'), { maxLength: 5 }).map((parts) => der.setOf(...parts)),
    fc
      .tuple(fc.nat(30), fc.array(tie('tree'), { maxLength: 3 }))
      .map(([n, parts]) => der.explicit(n, ...parts)),
  ),
}))

/** The tree as our reader sees it, in forge's terms. */
function ours(bytes: Buffer): unknown {
  const nodes: unknown[] = []
  readDer(bytes, 'tree', (reader) => {
    const tag = reader.peek()
    const constructed = (tag & 0x20) !== 0
    if (!constructed) {
      nodes.push({ tag, value: reader.primitive(tag, 'tree').toString('latin1') })
      return
    }
    const children: unknown[] = []
    const inner = tag === Tag.set ? reader.setOf('tree') : reader.constructed(tag, 'tree')
    while (!inner.done) children.push(ours(inner.element('tree')))
    nodes.push({ tag, value: children })
  })
  return nodes[0]
}

function theirs(node: ForgeNode): unknown {
  const tag = node.tagClass | (node.constructed ? 0x20 : 0) | node.type
  return { tag, value: typeof node.value === 'string' ? node.value : node.value.map(theirs) }
}

describe('beside node-forge', () => {
  it('the same tree is read from everything that we write, and written back as the same bytes', () => {
    fc.assert(
      fc.property(tree, (bytes) => {
        const node = asn1.fromDer(bytes.toString('latin1'), { strict: true, decodeBitStrings: false })
        expect(ours(bytes)).toEqual(theirs(node))
        expect(Buffer.from(asn1.toDer(node).getBytes(), 'latin1')).toEqual(bytes)
      }),
      { numRuns: 1000 },
    )
  })

  it('what we accept of random changes, forge reads as the same tree', () => {
    const flip = fc.record({ at: fc.nat(), value: fc.nat(255) })
    fc.assert(
      fc.property(tree, fc.array(flip, { minLength: 1, maxLength: 3 }), (original, flips) => {
        const bytes = Buffer.from(original)
        for (const { at, value } of flips) bytes[at % bytes.length] = value
        // forge 1.4.3 gives the characters of a BMPString instead of its octets, and takes [30] for one: it goes
        // by the number of a tag without its class.
        fc.pre(!bytes.includes(0x1e) && !bytes.includes(0x9e))
        try {
          readDer(bytes, 'tree', (reader) => reader.element('tree'))
        } catch {
          return // that refusals are right is for the tests of the reader
        }
        const node = asn1.fromDer(bytes.toString('latin1'), { strict: true, decodeBitStrings: false })
        expect(ours(bytes)).toEqual(theirs(node))
      }),
      { numRuns: 3000 },
    )
  })
})
