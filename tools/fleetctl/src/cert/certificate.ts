/** A certificate as the server shows it, and as `--json` prints it. */
export interface CertificateRecord {
  readonly serial: string
  readonly deviceId: string
  readonly profile: string
  readonly issuer: string
  readonly notBefore: string
  readonly notAfter: string
  readonly status: string
  readonly revocation?: { readonly at: string; readonly reason: string }
  readonly certificate: string
}
