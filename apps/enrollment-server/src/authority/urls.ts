import type { CertificateUrls } from '@fleetroot/pki'
import type { CaId, IssuerId } from './ca-id.ts'

/** Where the certificate of a CA is: of an issuing one that by the current root. */
export const caPath = (id: CaId): string => `/ca/${id}.crt`

/** Where the complete CRL of an issuing CA is. */
export const crlPath = (issuer: IssuerId): string => `/crl/${issuer}.crl`

/** Where the delta to it is. */
export const deltaCrlPath = (issuer: IssuerId): string => `/crl/${issuer}-delta.crl`

/** Where OCSP requests go. */
export const ocspPath = '/ocsp'

/** What a certificate says of where to learn more: its issuer, the CRL, OCSP. `publicUrl` has no trailing slash. */
export function certificateUrls(publicUrl: string, issuer: IssuerId): CertificateUrls {
  return {
    caIssuers: publicUrl + caPath(issuer),
    crl: publicUrl + crlPath(issuer),
    ocsp: publicUrl + ocspPath,
  }
}
