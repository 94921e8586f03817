import { type Certificate, type Csr, formatName } from '@fleetroot/pki'

/**
 * True if the CSR asks for exactly the subject and the subjectAltName of the certificate that it renews
 * (RFC 7030, section 4.2.2: both MUST be identical). The order of the alternative names means nothing.
 */
export function sameNames(csr: Csr, certificate: Certificate): boolean {
  if (formatName(csr.subject) !== formatName(certificate.subject)) return false
  const asked = csr.subjectAltNames.map(spell).sort()
  const held = certificate.subjectAltNames.map(spell).sort()
  return asked.length === held.length && asked.every((name, index) => name === held[index])
}

const spell = (name: Csr['subjectAltNames'][number]): string => JSON.stringify(name)
