import { rememberOids } from '../der/index.ts'

/** X.520 attribute types by their RFC 4514 short names, and a few that certificates carry besides. */
export const attributeTypes = {
  CN: '2.5.4.3',
  SN: '2.5.4.4',
  serialNumber: '2.5.4.5',
  C: '2.5.4.6',
  L: '2.5.4.7',
  ST: '2.5.4.8',
  STREET: '2.5.4.9',
  O: '2.5.4.10',
  OU: '2.5.4.11',
  title: '2.5.4.12',
  GN: '2.5.4.42',
  dnQualifier: '2.5.4.46',
  UID: '0.9.2342.19200300.100.1.1',
  DC: '0.9.2342.19200300.100.1.25',
  emailAddress: '1.2.840.113549.1.9.1',
} as const

const shortNames = new Map<string, string>(Object.entries(attributeTypes).map(([name, oid]) => [oid, name]))
rememberOids(shortNames.keys())

/** The short name of an attribute type (`CN`), or its dotted object identifier where it has none. */
export function attributeName(oid: string): string {
  return shortNames.get(oid) ?? oid
}
