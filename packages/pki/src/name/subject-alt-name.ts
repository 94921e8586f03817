import { contextPrimitive, type DerReader, implicit, readDerInPlace, sequence } from '../der/index.ts'
import { PkiError } from '../error.ts'
import { formatIpAddress, parseIpAddress } from './ip-address.ts'

/**
 * One GeneralName of a subjectAltName extension. `other` is every form that this project gives no meaning
 * (directoryName, otherName, registeredID …); its value is the DER of the GeneralName in hex.
 */
export interface SubjectAltName {
  readonly type: 'dns' | 'ip' | 'uri' | 'email' | 'other'
  readonly value: string
}

// GeneralName ::= CHOICE { … rfc822Name [1], dNSName [2], … uniformResourceIdentifier [6], iPAddress [7] … }
const tags = { email: 1, dns: 2, uri: 6, ip: 7 } as const
const textForms = new Map<number, 'email' | 'dns' | 'uri'>([
  [contextPrimitive(tags.email), 'email'],
  [contextPrimitive(tags.dns), 'dns'],
  [contextPrimitive(tags.uri), 'uri'],
])

/** LDH labels of RFC 1034 with an optional leading wildcard, 253 characters. */
const dnsName =
  /^(?=.{1,253}$)(?:\*\.)?(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/
const grammars = {
  dns: dnsName,
  uri: /^[A-Za-z][A-Za-z0-9+.-]*:[!-~]+$/,
  email: /^[!-?A-~]+@[A-Za-z0-9.-]+$/,
} as const

/**
 * Encodes the value of a subjectAltName extension (RFC 5280 section 4.2.1.6).
 *
 * @throws PkiError `subject-alt-name-invalid` for an empty list and for a value that is not of its type
 */
export function encodeSubjectAltNames(names: readonly SubjectAltName[]): Buffer {
  if (names.length === 0)
    throw new PkiError('subject-alt-name-invalid', 'subject alternative name: the list is empty')
  return sequence(...names.map(encodeGeneralName))
}

/**
 * True if the value is of its type: what {@link encodeSubjectAltNames} takes. A DNS name may begin with the label
 * `*`; an address must be in its plain form, without prefix or zone.
 */
export function isSubjectAltName(name: SubjectAltName): boolean {
  try {
    encodeGeneralName(name)
    return true
  } catch (error) {
    if (error instanceof PkiError) return false
    throw error
  }
}

/** Decodes the value of a subjectAltName extension. Keeps what it finds, NUL included; refuses bad DER. */
export function decodeSubjectAltNames(der: Uint8Array): SubjectAltName[] {
  return readDerInPlace(der, 'subjectAltName', (reader) => {
    const list = reader.sequence('subjectAltName')
    const names = [readGeneralName(list)]
    while (!list.done) names.push(readGeneralName(list))
    return names
  })
}

function encodeGeneralName({ type, value }: SubjectAltName): Buffer {
  if (type === 'other') return Buffer.from(value, 'hex')
  if (type === 'ip') return implicit(tags.ip, parseIpAddress(value))
  if (!grammars[type].test(value)) {
    throw new PkiError(
      'subject-alt-name-invalid',
      `subject alternative name: ${JSON.stringify(value)} is not a ${type} name`,
    )
  }
  return implicit(tags[type], Buffer.from(value, 'latin1'))
}

function readGeneralName(list: DerReader): SubjectAltName {
  const tag = list.peek()
  const form = textForms.get(tag)
  if (form !== undefined) {
    const value = list.primitive(tag, `subjectAltName ${form}`).toString('latin1')
    // eslint-disable-next-line no-control-regex -- IA5String is all of ASCII, NUL included
    if (/[^\u0000-\u007f]/.test(value)) {
      throw new PkiError('der-invalid', `subjectAltName ${form}: a character that IA5String does not allow`)
    }
    return { type: form, value }
  }
  if (tag !== contextPrimitive(tags.ip)) return { type: 'other', value: readOther(list, tag) }
  const octets = list.primitive(tag, 'subjectAltName ip')
  if (octets.length !== 4 && octets.length !== 16) {
    throw new PkiError('der-invalid', `subjectAltName ip: has ${octets.length} octets, must have 4 or 16`)
  }
  return { type: 'ip', value: formatIpAddress(octets) }
}

function readOther(list: DerReader, tag: number): string {
  // Of the nine forms, [8] registeredID is primitive; [0] [3] [4] [5] are constructed.
  if (tag !== -1 && ![0xa0, 0xa3, 0xa4, 0xa5, 0x88].includes(tag)) {
    throw new PkiError('der-invalid', `subjectAltName: tag 0x${tag.toString(16)} is not a GeneralName`)
  }
  return list.element('subjectAltName').toString('hex')
}
