import { type Certificate, type Csr, formatName } from '@fleetroot/pki'

/**
 * The field in which a CSR asks for other names than those of the certificate that it renews. It may ask for its subject,
 * and for its subjectAltName or for none (RFC 7030, section 4.2.2 asks for identical names; docs/decisions/0004 says why
 * none is taken too: the names come from the inventory in either case). The order of the alternative names means nothing.
 */
export function otherName(csr: Csr, certificate: Certificate): 'subject' | 'subjectAltName' | undefined {
  if (formatName(csr.subject) !== formatName(certificate.subject)) return 'subject'
  if (csr.subjectAltNames.length === 0) return undefined
  const asked = csr.subjectAltNames.map(spell).sort()
  const held = certificate.subjectAltNames.map(spell).sort()
  const isSame = asked.length === held.length && asked.every((name, index) => name === held[index])
  return isSame ? undefined : 'subjectAltName'
}

const spell = (name: Csr['subjectAltNames'][number]): string => JSON.stringify(name)
