import type { Certificate } from '../certificate/index.ts'
import { PkiError, type PkiErrorCode } from '../error.ts'
import { verifySignature } from '../key/index.ts'
import type { Crl } from './crl.ts'

/**
 * Proves that a CA issued a list: its name and key identifier, the right to sign CRLs, the signature. Whether
 * the list is recent enough (`thisUpdate`, `nextUpdate`, `number`) is for the caller to decide, who has the
 * clock, the list before and a policy for stale ones; whether the CA is trusted as well.
 *
 * @throws PkiError (as a rejection) `crl-issuer-mismatch` or `crl-signature-invalid`; it resolves for nothing else
 */
export async function verifyCrl(crl: Crl, issuer: Certificate): Promise<void> {
  const keyId = requireCrlSign(issuer, 'crl-issuer-mismatch')
  if (!crl.issuerDer.equals(issuer.subjectDer)) {
    throw new PkiError('crl-issuer-mismatch', 'CRL: was issued under another name than that of the CA')
  }
  if (crl.authorityKeyId !== keyId) {
    throw new PkiError('crl-issuer-mismatch', 'CRL: names another key than that of the CA')
  }
  if (!(await verifySignature(crl.signatureAlgorithm, issuer.publicKey, crl.tbs, crl.signature))) {
    throw new PkiError('crl-signature-invalid', 'CRL: the signature does not verify with the key of the CA')
  }
}

/**
 * Refuses, under `code`, a certificate whose key may not sign CRLs (RFC 5280 section 6.3.3 f).
 *
 * @returns its subjectKeyIdentifier, lower-case hex
 */
export function requireCrlSign(certificate: Certificate, code: PkiErrorCode): string {
  if (certificate.basicConstraints?.ca !== true || certificate.keyUsage?.includes('cRLSign') !== true) {
    throw new PkiError(code, 'CRL issuer: certificate is not that of a CA with cRLSign')
  }
  if (certificate.subjectKeyId === undefined) {
    throw new PkiError(code, 'CRL issuer: certificate has no subjectKeyIdentifier')
  }
  return certificate.subjectKeyId
}
