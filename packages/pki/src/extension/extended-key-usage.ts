import { oid, readDerInPlace, rememberOids, sequence } from '../der/index.ts'
import { type ExtendedKeyUsage, namedPurposes, purposeName, purposeOid } from '../profile/profile.ts'

rememberOids(Object.values(namedPurposes))

/** Encodes the value of an extKeyUsage extension (RFC 5280 section 4.2.1.12): a SEQUENCE OF purposes. */
export function encodeExtendedKeyUsage(purposes: readonly ExtendedKeyUsage[]): Buffer {
  return sequence(...purposes.map((purpose) => oid(purposeOid(purpose))))
}

/** Decodes the value of an extKeyUsage extension. Refuses an empty one. Throws PkiError `der-invalid`. */
export function decodeExtendedKeyUsage(der: Uint8Array): ExtendedKeyUsage[] {
  const what = 'extKeyUsage'
  return readDerInPlace(der, what, (reader) => {
    const list = reader.sequence(what)
    const purposes = [purposeName(list.oid(what))]
    while (!list.done) purposes.push(purposeName(list.oid(what)))
    return purposes
  })
}
