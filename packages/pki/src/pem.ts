import { PkiError } from './error.ts'

/** The labels that this project writes (RFC 7468, and PKCS#7 by its old OpenSSL name). */
export type PemLabel =
  | 'CERTIFICATE'
  | 'CERTIFICATE REQUEST'
  | 'ENCRYPTED PRIVATE KEY'
  | 'PKCS7'
  | 'PRIVATE KEY'
  | 'PUBLIC KEY'
  | 'X509 CRL'

/** One armoured block of a PEM text. `label` is whatever the file says. */
export interface PemBlock {
  label: string
  der: Buffer
}

/** A trust bundle of a whole system is about 250 KiB; nothing that we read is larger. */
const maxPemCharacters = 1024 * 1024

/** Armours DER: 64 columns, LF, one newline at the end (RFC 7468 section 3, the strict form). */
export function toPem(label: PemLabel, der: Uint8Array): string {
  const base64 = Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString('base64')
  let lines = ''
  for (let at = 0; at < base64.length; at += 64) lines += `${base64.slice(at, at + 64)}\n`
  return `-----BEGIN ${label}-----\n${lines}-----END ${label}-----\n`
}

/**
 * Every block of a PEM text, in its order. Text between blocks is ignored, as OpenSSL's `-text` output and
 * comments in bundles need (RFC 7468 section 2); CRLF and any line width are taken.
 *
 * @throws PkiError `pem-invalid` when there is no block, a block is not closed by its own label, is empty or
 * is not base64, and for the encapsulated headers of the old encrypted key format
 */
export function fromPem(text: string): PemBlock[] {
  if (text.length > maxPemCharacters) throw invalid(`larger than ${maxPemCharacters} characters`)
  const blocks: PemBlock[] = []
  let open: { label: string; base64: string[] } | undefined
  for (const rawLine of text.split('\n')) {
    const line = rawLine.trim()
    const boundary = /^-----(BEGIN|END) ([A-Z0-9 ]*)-----$/.exec(line)
    if (boundary === null) {
      open?.base64.push(line)
    } else if (boundary[1] === 'BEGIN') {
      if (open !== undefined) throw invalid(`BEGIN ${boundary[2]} inside the block ${open.label}`)
      open = { label: boundary[2] ?? '', base64: [] }
    } else {
      if (open === undefined || open.label !== boundary[2])
        throw invalid(`END ${boundary[2]} without its BEGIN line`)
      blocks.push({ label: open.label, der: decodeBase64(open.label, open.base64.join('')) })
      open = undefined
    }
  }
  if (open !== undefined) throw invalid(`the block ${open.label} has no END line; the text was cut off`)
  if (blocks.length === 0) throw invalid('no "-----BEGIN …-----" line found')
  return blocks
}

function decodeBase64(label: string, base64: string): Buffer {
  if (base64.startsWith('Proc-Type:')) {
    throw invalid(`${label} uses the old OpenSSL encryption; convert it with "openssl pkcs8 -topk8"`)
  }
  const der = Buffer.from(base64, 'base64')
  // Buffer.from skips what is not base64; going back proves that nothing was skipped.
  if (der.length === 0 || der.toString('base64') !== base64) throw invalid(`${label} is not base64`)
  return der
}

function invalid(problem: string): PkiError {
  return new PkiError('pem-invalid', `PEM: ${problem}`)
}
