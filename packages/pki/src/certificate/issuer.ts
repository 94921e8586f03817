import { PkiError } from '../error.ts'
import { exportPublicKey, type Signer } from '../key/index.ts'
import type { Certificate } from './certificate.ts'

/** A CA that can sign: its certificate and the key behind it. */
export interface Issuer {
  readonly certificate: Certificate
  readonly signer: Signer
}

/**
 * Checks that a CA may sign certificates and that the signer holds its key.
 *
 * @returns the issuer's subjectKeyIdentifier, lower-case hex.
 * @throws PkiError `issuance-refused`, naming what the issuer lacks; `key-mismatch` for a signer of another key
 */
export function checkIssuer({ certificate, signer }: Issuer): string {
  if (certificate.basicConstraints?.ca !== true || certificate.keyUsage?.includes('keyCertSign') !== true) {
    throw new PkiError('issuance-refused', 'issuer: certificate is not that of a CA with keyCertSign')
  }
  if (certificate.subjectKeyId === undefined) {
    throw new PkiError('issuance-refused', 'issuer: certificate has no subjectKeyIdentifier')
  }
  if (!exportPublicKey(signer.publicKey).equals(certificate.publicKeyInfo)) {
    throw new PkiError('key-mismatch', 'issuer: signer holds another key than that of certificate')
  }
  return certificate.subjectKeyId
}
