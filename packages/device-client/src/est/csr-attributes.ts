import { DeviceClientError } from '../error.ts'

/** One wish of the server about CSRs: an OID alone, or an attribute with its values as DER. */
export interface CsrAttribute {
  /** Dotted. */
  oid: string
  values: Buffer[]
}

const SEQUENCE = 0x30
const SET = 0x31
const OID = 0x06

/**
 * Reads what `csrattrs` answers (RFC 7030 section 4.5.2):
 *
 *     CsrAttrs  ::= SEQUENCE SIZE (0..MAX) OF AttrOrOID
 *     AttrOrOID ::= CHOICE { oid OBJECT IDENTIFIER, attribute Attribute }
 *     Attribute ::= SEQUENCE { type OBJECT IDENTIFIER, values SET SIZE (1..MAX) OF ANY }
 *
 * Throws DeviceClientError `response-invalid`.
 */
export function decodeCsrAttributes(der: Uint8Array): CsrAttribute[] {
  const [list, ...rest] = elements(der)
  if (list?.tag !== SEQUENCE || rest.length > 0) throw invalid()
  return elements(list.content).map(attributeOrOid)
}

function attributeOrOid(element: Element): CsrAttribute {
  if (element.tag === OID) return { oid: dotted(element.content), values: [] }
  const [type, values, ...rest] = element.tag === SEQUENCE ? elements(element.content) : []
  if (type?.tag !== OID || values?.tag !== SET || rest.length > 0) throw invalid()
  return { oid: dotted(type.content), values: elements(values.content).map(({ der }) => Buffer.from(der)) }
}

interface Element {
  tag: number
  content: Uint8Array
  der: Uint8Array
}

/** The elements that fill `bytes`; definite lengths of up to three bytes, which the size cap of bodies allows. */
function elements(bytes: Uint8Array): Element[] {
  const found: Element[] = []
  for (let at = 0; at < bytes.length;) {
    const tag = bytes[at] ?? 0
    const first = bytes[at + 1] ?? 0x80
    const lengthBytes = first < 0x80 ? 0 : first & 0x7f
    if ((first >= 0x80 && (lengthBytes < 1 || lengthBytes > 3)) || (tag & 0x1f) === 0x1f) throw invalid()
    let length = first < 0x80 ? first : 0
    for (const byte of bytes.subarray(at + 2, at + 2 + lengthBytes)) length = length * 256 + byte
    const start = at + 2 + lengthBytes
    if (start + length > bytes.length) throw invalid()
    found.push({
      tag,
      content: bytes.subarray(start, start + length),
      der: bytes.subarray(at, start + length),
    })
    at = start + length
  }
  return found
}

function dotted(content: Uint8Array): string {
  const arcs: bigint[] = []
  let arc = 0n
  for (const byte of content) {
    arc = arc * 128n + BigInt(byte & 0x7f)
    if (byte < 0x80) {
      arcs.push(arc)
      arc = 0n
    }
  }
  const [first, ...rest] = arcs
  if (first === undefined || (content.at(-1) ?? 0x80) >= 0x80) throw invalid()
  // X.690 section 8.19.4: the first two arcs share one number.
  const root = first < 80n ? first / 40n : 2n
  return [root, first - root * 40n, ...rest].join('.')
}

function invalid(): DeviceClientError {
  return new DeviceClientError(
    'response-invalid',
    'the server’s csrattrs are not a CsrAttrs structure (RFC 7030 4.5.2)',
  )
}
