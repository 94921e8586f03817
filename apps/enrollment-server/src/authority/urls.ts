import type { CertificateUrls } from '@fleetroot/pki'
import type { IssuerName } from './authority.ts'

/** Where the certificate of an issuing CA is. */
export const caPath = (name: IssuerName | 'root'): string => `/ca/${name}.crt`

/** Where the complete CRL of an issuing CA is. */
export const crlPath = (issuer: IssuerName): string => `/crl/${issuer}.crl`

/** Where the delta to it is. */
export const deltaCrlPath = (issuer: IssuerName): string => `/crl/${issuer}-delta.crl`

/** Where OCSP requests go. */
export const ocspPath = '/ocsp'

/** What a certificate says of where to learn more: its issuer, the CRL, OCSP. `publicUrl` has no trailing slash. */
export function certificateUrls(publicUrl: string, issuer: IssuerName): CertificateUrls {
  return {
    caIssuers: publicUrl + caPath(issuer),
    crl: publicUrl + crlPath(issuer),
    ocsp: publicUrl + ocspPath,
  }
}
