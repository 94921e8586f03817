import { keyAlgorithm } from '../key/index.ts'
import { formatName } from '../name/index.ts'
import type { Certificate } from './certificate.ts'

/**
 * A certificate for a human, one fact to a line, names escaped so that the text can go to a terminal. Lines
 * whose extension is absent are left out. Not for programs: read the fields.
 */
export function describeCertificate(certificate: Certificate): string {
  const { basicConstraints } = certificate
  const lines: [string, string | undefined][] = [
    ['subject', formatName(certificate.subject)],
    ['issuer', formatName(certificate.issuer)],
    ['serial', certificate.serial],
    ['valid from', certificate.notBefore.toISOString()],
    ['valid until', certificate.notAfter.toISOString()],
    ['names', list(certificate.subjectAltNames.map(({ type, value }) => `${type} ${printable(value)}`))],
    ['authority', basicConstraints === undefined ? undefined : describeAuthority(basicConstraints)],
    ['key usage', list(certificate.keyUsage ?? [])],
    ['purposes', list(certificate.extendedKeyUsage ?? [])],
    ['policies', list(certificate.policies)],
    ['CRL', list(certificate.crlUrls)],
    ['OCSP', list(certificate.ocspUrls)],
    ['issuer at', list(certificate.caIssuersUrls)],
    ['key', describeKey(certificate)],
    ['key id', certificate.subjectKeyId],
    ['issuer key id', certificate.authorityKeyId],
    ['signed with', certificate.signatureAlgorithm],
    ['SHA-256', certificate.fingerprint256],
  ]
  return lines
    .flatMap(([label, text]) => (text === undefined ? [] : [`${label.padEnd(14)}${text}`]))
    .join('\n')
}

function list(items: readonly string[]): string | undefined {
  return items.length === 0 ? undefined : items.join(', ')
}

function describeAuthority({ ca, pathLength }: NonNullable<Certificate['basicConstraints']>): string {
  if (!ca) return 'no'
  return pathLength === undefined ? 'yes' : `yes, at most ${pathLength} further below`
}

function describeKey(certificate: Certificate): string {
  try {
    return keyAlgorithm(certificate.publicKey)
  } catch {
    // The description must not fail for a certificate that parsed.
    return 'of a kind that is not supported'
  }
}

/** What a SAN holds was chosen by whoever made the certificate: no control characters reach the terminal. */
function printable(text: string): string {
  return text.replaceAll(
    /[^ -~]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
