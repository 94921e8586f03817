import type { Refusal } from '../problem/refusal.ts'

/** A CSR as DER, or why the body holds none. */
export type DecodedBody = { readonly ok: true; readonly der: Buffer } | ({ readonly ok: false } & Refusal)

// The first octet of a CertificationRequest, which is a SEQUENCE. No base64 text begins with it: "0" (0x30)
// would decode to an octet of 0xd0 to 0xd3.
const sequence = 0x30
const armour =
  /^-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----\s([A-Za-z0-9+/=\s]*)-----END (?:NEW )?CERTIFICATE REQUEST-----$/

/**
 * Finds the CSR in a body: base64, in one line (strongSwan) or many (libest), PEM armour, or raw DER. What
 * Content-Transfer-Encoding says is not looked at (RFC 8951, section 3.1). Used for the `csr` field of REST
 * as well. Whether the DER is a CSR is for the parser of CSRs to say.
 */
export function decodeCsrBody(body: Buffer): DecodedBody {
  if (body.length === 0) return { ok: false, code: 'body-missing', detail: 'body: send the CSR in base64' }
  if (body[0] === sequence) return { ok: true, der: body }
  const text = body.toString('latin1').trim()
  if (text === '') return { ok: false, code: 'body-missing', detail: 'body: send the CSR in base64' }
  const base64 = (text.startsWith('-----') ? (armour.exec(text)?.[1] ?? '!') : text).replace(/\s+/g, '')
  const der = Buffer.from(base64, 'base64')
  // Buffer.from skips what is not base64; what does not come out again the same was not base64.
  if (der[0] !== sequence || der.toString('base64') !== base64) {
    return {
      ok: false,
      code: 'body-malformed',
      detail: 'csr: must be one PKCS#10 request in base64, in PEM or in DER',
    }
  }
  return { ok: true, der }
}

// libest gives up without a word on lines over about 1,000 characters; strongSwan reads one line only.
const longestLine = 996

/**
 * The base64 of a response: one line and a line feed where every known client can read that, and 64 columns
 * for libest where the line would be too long for it.
 */
export function encodeBody(der: Buffer, userAgent: string | undefined): string {
  const base64 = der.toString('base64')
  if (base64.length <= longestLine || !/^libest\b/i.test(userAgent ?? '')) return `${base64}\n`
  return base64.replace(/.{1,64}/g, '$&\n')
}
