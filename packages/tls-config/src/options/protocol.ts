import { constants } from 'node:crypto'
import type { SecureContextOptions } from 'node:tls'

/** `compatible`: TLS 1.2 with ECDHE and AEAD only, and TLS 1.3. `strict`: TLS 1.3 only. */
export type TlsMode = 'compatible' | 'strict'

/** A private key and a certificate chain (leaf first), both PEM. */
export interface KeyAndCertificate {
  readonly key: string
  readonly cert: string
}

/** The hybrid post-quantum group first (draft-ietf-tls-ecdhe-mlkem), then what small devices have. P-256 must
 * stay: in TLS 1.2 the list also says which curves certificates may use (RFC 8422 section 5.1). */
const groups = ['X25519MLKEM768', 'X25519', 'P-256', 'P-384'].join(':')

/** RFC 9325 section 4.2 without the finite-field suites: forward secrecy and AEAD, nothing else. */
const ciphers = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_128_GCM_SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
].join(':')

/** What both sides of every connection have in common. */
export function protocolOptions(mode: TlsMode): SecureContextOptions {
  return {
    minVersion: mode === 'strict' ? 'TLSv1.3' : 'TLSv1.2',
    maxVersion: 'TLSv1.3',
    ciphers,
    ecdhCurve: groups,
    honorCipherOrder: true,
    // Renegotiation lets a peer change its certificate after it was looked at (CVE-2009-3555 and its kin).
    // A device without AES hardware puts ChaCha20 first, and then gets it in spite of our order.
    secureOptions:
      constants.SSL_OP_NO_RENEGOTIATION |
      constants.SSL_OP_NO_COMPRESSION |
      constants.SSL_OP_PRIORITIZE_CHACHA,
  }
}
