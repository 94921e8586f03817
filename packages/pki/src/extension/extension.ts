import { boolean, type DerReader, octetString, oid, rememberOids, sequence } from '../der/index.ts'
import { PkiError } from '../error.ts'

/** The extensions that this project reads or writes (RFC 5280 section 4.2, RFC 6960). */
export const extensionOids = {
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  cRLDistributionPoints: '2.5.29.31',
  certificatePolicies: '2.5.29.32',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  authorityInfoAccess: '1.3.6.1.5.5.7.1.1',
  ocspNoCheck: '1.3.6.1.5.5.7.48.1.5',
} as const
rememberOids(Object.values(extensionOids))

// RFC 5280 abbreviates one of them; the others are spelled as above.
const names = new Map<string, string>(
  Object.entries(extensionOids).map(([name, oid]) => [
    oid,
    name === 'extendedKeyUsage' ? 'extKeyUsage' : name,
  ]),
)

/** The name of an extension as RFC 5280 has it; undefined where it has none here. */
export function extensionName(id: string): string | undefined {
  return names.get(id)
}

/** One extension as it stands: `value` is the content of its OCTET STRING. */
export interface Extension {
  readonly oid: string
  readonly critical: boolean
  readonly value: Buffer
}

/**
 * Encodes one extension:
 *
 *     Extension ::= SEQUENCE { extnID OBJECT IDENTIFIER, critical BOOLEAN DEFAULT FALSE, extnValue OCTET STRING }
 */
export function encodeExtension({
  oid: id,
  critical,
  value,
}: {
  oid: string
  critical: boolean
  value: Uint8Array
}): Buffer {
  return critical
    ? sequence(oid(id), boolean(true), octetString(value))
    : sequence(oid(id), octetString(value))
}

/**
 * Reads `Extensions ::= SEQUENCE SIZE (1..MAX) OF Extension`.
 *
 * @throws PkiError `extension-invalid` when one extension occurs twice (RFC 5280 section 4.2), `der-invalid`
 */
export function readExtensions(reader: DerReader, what: string): Extension[] {
  const list = reader.sequence(what)
  const extensions = new Map<string, Extension>()
  do {
    const extension = readExtension(list, what)
    if (extensions.has(extension.oid)) {
      throw new PkiError('extension-invalid', `${what}: the extension ${extension.oid} occurs twice`)
    }
    extensions.set(extension.oid, extension)
  } while (!list.done)
  return [...extensions.values()]
}

function readExtension(list: DerReader, what: string): Extension {
  const extension = list.sequence(what)
  const id = extension.oid(what)
  const critical = extension.optionalBoolean(what)
  const value = extension.octetString(what)
  extension.end(what)
  return { oid: id, critical, value }
}
