import { formatName } from '@fleetroot/pki'
import type { Certificate } from '@fleetroot/pki'
import { TlsConfigError } from '../error.ts'
import { certificatesIn } from '../pem/certificates.ts'
import { readText } from '../pem/file.ts'

/**
 * Reads the trust anchors in a PEM file, one or several.
 *
 * @throws TlsConfigError `file-missing`, `file-unreadable`, `certificate-malformed`, `trust-missing` or
 * `trust-not-a-ca`
 */
export function loadTrust(file: string): Certificate[] {
  return parseTrust([readText(file, 'trust file')], `trust file ${file}`)
}

/**
 * The trust anchors in PEM texts, each with at least one; `source` begins the error. An empty list is an
 * error: Node would put the public CAs in its place.
 *
 * @throws TlsConfigError `certificate-malformed`, `trust-missing` or `trust-not-a-ca`
 */
export function parseTrust(texts: readonly string[], source: string): Certificate[] {
  const anchors = texts.map((text) => certificatesIn(text, source))
  if (anchors.length === 0 || anchors.some((found) => found.length === 0)) {
    throw new TlsConfigError('trust-missing', `${source}: no certificate in it; give the root CA's PEM`)
  }
  for (const anchor of anchors.flat()) {
    // A leaf among the anchors would be trusted as itself, past every check of its issuer.
    if (anchor.basicConstraints?.ca !== true) {
      const subject = formatName(anchor.subject)
      throw new TlsConfigError('trust-not-a-ca', `${source}: ${subject} is not a CA; give the root CA's PEM`)
    }
  }
  return anchors.flat()
}
