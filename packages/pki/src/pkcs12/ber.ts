import { PkiError } from '../error.ts'
import { type Asn1Node, forge } from './forge.ts'

/** A key with its chain has a few KiB; whatever is larger is not one. */
const maximumOctets = 256 * 1024

/**
 * Reads BER, which PKCS#12 files of Windows and NSS are written in (RFC 7292, 4), into node-forge's tree.
 * Only the container is read this way: what is signed or secret inside goes through strict DER.
 *
 * @throws PkiError `pkcs12-invalid`.
 */
export function readBer(bytes: Uint8Array, what: string): Asn1Node {
  if (bytes.byteLength > maximumOctets) throw invalid(`${what} has more than ${maximumOctets} octets`)
  try {
    return forge().asn1.fromDer(Buffer.from(bytes).toString('latin1'), {
      strict: false,
      parseAllBytes: true,
      decodeBitStrings: false,
    })
  } catch (error) {
    throw new PkiError('pkcs12-invalid', `PKCS#12: ${what} is not ASN.1`, { cause: error })
  }
}

/** The elements of a SEQUENCE. */
export function elements(node: Asn1Node | undefined, what: string): readonly Asn1Node[] {
  if (node?.tagClass !== 0 || node.type !== 16 || typeof node.value === 'string') {
    throw invalid(`${what} must be a SEQUENCE`)
  }
  return node.value
}

/** The content of `[0] EXPLICIT`. */
export function explicitContent(node: Asn1Node | undefined, what: string): Asn1Node {
  const content = node?.tagClass === 0x80 && node.type === 0 ? node.value : undefined
  if (typeof content === 'string' || content?.[0] === undefined || content.length > 1) {
    throw invalid(`${what} must be [0] with one element`)
  }
  return content[0]
}

/** The octets of an OCTET STRING, whole or in the pieces that BER allows; `implicit` takes `[0]` instead. */
export function octets(node: Asn1Node | undefined, what: string, implicit = false): Buffer {
  const [tagClass, type] = implicit ? [0x80, 0] : [0, 4]
  if (node === undefined || node.tagClass !== tagClass || node.type !== type) {
    throw invalid(`${what} must be an OCTET STRING`)
  }
  if (typeof node.value === 'string') return Buffer.from(node.value, 'latin1')
  return Buffer.concat(node.value.map((piece) => octets(piece, what)))
}

/** A dotted object identifier. */
export function objectIdentifier(node: Asn1Node | undefined, what: string): string {
  if (node === undefined || node.tagClass !== 0 || node.type !== 6 || typeof node.value !== 'string') {
    throw invalid(`${what} must be an OBJECT IDENTIFIER`)
  }
  return forge().asn1.derToOid(node.value)
}

/** A non-negative INTEGER that fits 31 bits. */
export function smallInteger(node: Asn1Node | undefined, what: string): number {
  const value = node?.tagClass === 0 && node.type === 2 ? node.value : undefined
  if (typeof value !== 'string' || value.length === 0 || value.length > 4 || value.charCodeAt(0) > 0x7f) {
    throw invalid(`${what} must be an INTEGER from 0 to 2147483647`)
  }
  return Buffer.from(value, 'latin1').readUIntBE(0, value.length)
}

/** What is wrong with a file, as an error to throw. */
export function invalid(problem: string): PkiError {
  return new PkiError('pkcs12-invalid', `PKCS#12: ${problem}`)
}
