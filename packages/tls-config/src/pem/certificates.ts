import { parseCertificates, PkiError } from '@fleetroot/pki'
import type { Certificate } from '@fleetroot/pki'
import { TlsConfigError } from '../error.ts'

/**
 * Every certificate in a PEM text, none if there is none; `source` begins the error.
 *
 * @throws TlsConfigError `certificate-malformed`
 */
export function certificatesIn(pem: string, source: string): Certificate[] {
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) return []
  try {
    return parseCertificates(pem)
  } catch (error) {
    if (!(error instanceof PkiError)) throw error
    throw new TlsConfigError('certificate-malformed', `${source}: ${error.message}`, { cause: error })
  }
}
