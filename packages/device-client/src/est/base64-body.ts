import { DeviceClientError } from '../error.ts'

const armour = /-----BEGIN [A-Z0-9 ]+-----([^-]*)-----END [A-Z0-9 ]+-----/
const whitespace = /[\t\n\r ]+/g
const base64 = /^[A-Za-z0-9+/]*={0,2}$/

/**
 * The body of an EST request: base64 on one line, whatever Content-Transfer-Encoding says (RFC 8951
 * section 2.1: the header has no meaning and the encoding is always base64).
 */
export function encodeBase64Body(der: Uint8Array): string {
  return Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString('base64')
}

/**
 * The DER in the body of an EST response. RFC 8951 asks for base64; servers send it on one line, wrapped at
 * any column, with CR LF, inside PEM armour, or they send the DER itself. All are read.
 *
 * Throws DeviceClientError `response-invalid` if the body is empty or none of these.
 */
export function decodeBase64Body(body: Uint8Array): Buffer {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  if (bytes.length === 0) {
    throw new DeviceClientError('response-invalid', 'the server sent an empty body where base64 was expected')
  }
  // A SEQUENCE with a long-form length: 0x30 0x8X is no text, so it can only be DER.
  if (bytes[0] === 0x30 && (bytes[1] ?? 0) >= 0x80) return bytes
  const text = bytes.toString('latin1')
  const compact = (armour.exec(text)?.[1] ?? text).replace(whitespace, '')
  if (compact.length === 0 || compact.length % 4 !== 0 || !base64.test(compact)) {
    throw new DeviceClientError(
      'response-invalid',
      'the body of the server’s response is neither base64 nor DER',
    )
  }
  return Buffer.from(compact, 'base64')
}
