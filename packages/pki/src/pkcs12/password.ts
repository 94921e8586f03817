import { PkiError } from '../error.ts'

/**
 * Refuses passwords that programs encode differently. The MAC takes the password as UTF-16, PBES2 as octets:
 * OpenSSL gives it UTF-8, Java cuts each character to 7 bits. Printable ASCII is what all agree on. Empty is
 * refused too: there are two encodings of it, and it protects nothing.
 *
 * @throws PkiError `pkcs12-password-invalid`.
 */
export function checkNewPassword(password: string): void {
  if (!/^[\x20-\x7e]{1,1024}$/.test(password)) {
    throw new PkiError(
      'pkcs12-password-invalid',
      'PKCS#12: password must be 1 to 1024 printable ASCII characters; other programs encode the rest differently',
    )
  }
}
