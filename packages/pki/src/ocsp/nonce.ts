import { octetString, readDer } from '../der/index.ts'
import { PkiError, type PkiErrorCode } from '../error.ts'
import { encodeExtension, type Extension } from '../extension/index.ts'
import { ocspOids } from './oid.ts'

/** RFC 9654, which replaces RFC 8954: a responder must take 1 to 128 octets and refuse others. */
const maxOctets = 128

/**
 * The nonce extension: the value of the extension is itself an OCTET STRING.
 *
 * @throws PkiError `ocsp-refused` unless it has 1 to 128 octets
 */
export function encodeNonce(nonce: Uint8Array): Buffer {
  if (!fits(nonce)) throw new PkiError('ocsp-refused', `nonce: must have 1 to ${maxOctets} octets`)
  return encodeExtension({ oid: ocspOids.nonce, critical: false, value: octetString(nonce) })
}

/**
 * The nonce among the extensions of a request or a response. Extensions that are unknown are passed over,
 * critical ones refused (RFC 6960 section 4.4).
 *
 * @throws PkiError `malformed` for a nonce of another length and for an unknown critical extension; `der-invalid`
 */
export function readNonce(extensions: readonly Extension[], malformed: PkiErrorCode): Buffer | undefined {
  let nonce: Buffer | undefined
  for (const { oid, critical, value } of extensions) {
    if (oid === ocspOids.nonce) {
      nonce = readDer(value, 'nonce', (reader) => reader.octetString('nonce'))
      if (!fits(nonce)) throw new PkiError(malformed, `nonce: must have 1 to ${maxOctets} octets`)
    } else if (critical) refuseCritical(oid, malformed)
  }
  return nonce
}

/** Refuses every critical extension, where none is known. */
export function refuseCriticals(extensions: readonly Extension[], malformed: PkiErrorCode): void {
  for (const { oid, critical } of extensions) if (critical) refuseCritical(oid, malformed)
}

function refuseCritical(oid: string, malformed: PkiErrorCode): never {
  throw new PkiError(malformed, `OCSP: critical extension ${oid} is unknown`)
}

function fits(nonce: Uint8Array): boolean {
  return nonce.byteLength >= 1 && nonce.byteLength <= maxOctets
}
