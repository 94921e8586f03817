import { type Certificate, type Csr, formatName } from '@fleetroot/pki'

/**
 * True if the CSR asks for the subject of the certificate that it renews, and for its subjectAltName or for none
 * (RFC 7030, section 4.2.2 asks for identical names; docs/decisions/0004 says why none is taken too: the names
 * come from the inventory in either case). The order of the alternative names means nothing.
 */
export function sameNames(csr: Csr, certificate: Certificate): boolean {
  if (formatName(csr.subject) !== formatName(certificate.subject)) return false
  if (csr.subjectAltNames.length === 0) return true
  const asked = csr.subjectAltNames.map(spell).sort()
  const held = certificate.subjectAltNames.map(spell).sort()
  return asked.length === held.length && asked.every((name, index) => name === held[index])
}

const spell = (name: Csr['subjectAltNames'][number]): string => JSON.stringify(name)
