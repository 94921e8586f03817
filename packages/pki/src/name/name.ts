import { type DerReader, oid, readDer, sequence, setOf, string, type StringType } from '../der/index.ts'
import { PkiError } from '../error.ts'
import { attributeTypes } from './attribute.ts'

/**
 * One attribute of a name. `type` is a dotted object identifier. `encoding` is the string type that stood in
 * the DER; `other` is a value that is no string, and `value` is then its DER in hex.
 */
export interface NameAttribute {
  readonly type: string
  readonly value: string
  readonly encoding: StringType | 'other'
}

/** One RDN: a single attribute in nearly every name; more make it multi-valued. Never empty. */
export type RelativeDistinguishedName = readonly NameAttribute[]

/**
 * A distinguished name with all its facts: order, string types, multi-valued RDNs, NUL. What is acceptable is
 * for its reader to say; {@link soleCommonName} does for identities.
 */
export type Name = readonly RelativeDistinguishedName[]

/**
 * The name with these attributes, one to an RDN, in the order organization, unit, common name. Values are
 * UTF8String (RFC 5280 section 4.1.2.4).
 */
export function nameOf(parts: {
  organization?: string
  organizationalUnit?: string
  commonName?: string
}): Name {
  const attributes: [string, string | undefined][] = [
    [attributeTypes.O, parts.organization],
    [attributeTypes.OU, parts.organizationalUnit],
    [attributeTypes.CN, parts.commonName],
  ]
  return attributes.flatMap(([type, value]) => {
    if (value === undefined) return []
    if (value === '') throw new PkiError('name-invalid', 'name: an attribute must not be empty')
    return [[{ type, value, encoding: 'utf8' as const }]]
  })
}

/**
 * Encodes a name:
 *
 *     Name ::= SEQUENCE OF RelativeDistinguishedName
 *     RelativeDistinguishedName ::= SET SIZE (1..MAX) OF SEQUENCE { type OBJECT IDENTIFIER, value ANY }
 *
 * @throws PkiError `name-invalid` for an empty RDN or a value that its string type cannot hold
 */
export function encodeName(name: Name): Buffer {
  return sequence(
    ...name.map((rdn) => {
      if (rdn.length === 0) throw new PkiError('name-invalid', 'name: an RDN must have an attribute')
      return setOf(...rdn.map(encodeAttribute))
    }),
  )
}

/** Decodes DER that is a name and nothing else. Throws PkiError `der-invalid`. */
export function decodeName(der: Uint8Array): Name {
  return readDer(der, 'name', (reader) => readName(reader, 'name'))
}

/** Reads a name inside a larger structure. An empty RDN is refused, an empty name is not. */
export function readName(reader: DerReader, what: string): Name {
  const rdns = reader.sequence(what)
  const name: RelativeDistinguishedName[] = []
  while (!rdns.done) {
    const attributes = rdns.setOf(what)
    const rdn = [readAttribute(attributes, what)]
    while (!attributes.done) rdn.push(readAttribute(attributes, what))
    name.push(rdn)
  }
  return name
}

function readAttribute(reader: DerReader, what: string): NameAttribute {
  const attribute = reader.sequence(what)
  const type = attribute.oid(what)
  const text = attribute.optionalString(what)
  const result: NameAttribute =
    text === undefined
      ? { type, value: attribute.element(what).toString('hex'), encoding: 'other' }
      : { type, value: text.value, encoding: text.type }
  attribute.end(what)
  return result
}

function encodeAttribute({ type, value, encoding }: NameAttribute): Buffer {
  return sequence(oid(type), encoding === 'other' ? Buffer.from(value, 'hex') : string(encoding, value))
}
