import { contextConstructed, type DerReader, readDer, rememberOids } from '../der/index.ts'
import { PkiError } from '../error.ts'
import {
  decodeBasicConstraints,
  decodeExtendedKeyUsage,
  decodeKeyUsage,
  type Extension,
  extensionOids,
  readExtensions,
} from '../extension/index.ts'
import { decodeSubjectAltNames } from '../name/index.ts'
import type { CsrAttribute, RequestedExtensions } from './csr.ts'

/** More attributes, or extensions, than any CSR has a use for: each of them is answered for in the report. */
const mostWishes = 32

/** The attributes that mean something here (RFC 2985 section 5.4, RFC 7894 section 3.3). */
export const attributeOids = {
  challengePassword: '1.2.840.113549.1.9.7',
  estIdentityLinking: '1.2.840.113549.1.9.16.2.58',
  extensionRequest: '1.2.840.113549.1.9.14',
  // Who asks in Microsoft's form asks all the same, and must not pass as asking nothing.
  microsoftExtensionRequest: '1.3.6.1.4.1.311.2.1.14',
} as const
rememberOids(Object.values(attributeOids))

/**
 * Reads the attributes of a CSR (RFC 2986 section 4.1):
 *
 *     attributes  [0] IMPLICIT SET OF SEQUENCE { type OBJECT IDENTIFIER, values SET SIZE (1..MAX) OF ANY }
 *
 * @throws PkiError `csr-malformed` when a type occurs twice, or when there are more than 32
 */
export function readAttributes(info: DerReader): CsrAttribute[] {
  // The one place where order is not asked for: strongSwan 5.9.8 writes extensionRequest before a shorter
  // challengePassword. It changes nothing that is understood, and what was signed is kept as it stands.
  const set = info.constructed(contextConstructed(0), 'CSR attributes')
  const attributes = new Map<string, CsrAttribute>()
  while (!set.done) {
    const attribute = set.sequence('CSR attribute')
    const type = attribute.oid('CSR attribute')
    const list = attribute.setOf('CSR attribute')
    attribute.end('CSR attribute')
    const values = [list.element('CSR attribute')]
    while (!list.done) values.push(list.element('CSR attribute'))
    if (attributes.has(type)) {
      throw new PkiError('csr-malformed', `CSR: the attribute ${type} occurs twice`)
    }
    attributes.set(type, { type, values })
    checkCount(attributes.size, 'attributes')
  }
  return [...attributes.values()]
}

/** The challengePassword, or the like, among the attributes: a DirectoryString. Undefined when there is none. */
export function textOf(
  attributes: readonly CsrAttribute[],
  name: 'challengePassword' | 'estIdentityLinking',
): string | undefined {
  const value = onlyValue(attributes, attributeOids[name])
  return value && readDer(value, `CSR ${name}`, (reader) => reader.string(`CSR ${name}`)).value
}

/** What is asked for by extensionRequest, in its standard or its Microsoft form; asking in both is refused. */
export function requestedExtensionsOf(attributes: readonly CsrAttribute[]): RequestedExtensions {
  const standard = onlyValue(attributes, attributeOids.extensionRequest)
  const microsoft = onlyValue(attributes, attributeOids.microsoftExtensionRequest)
  if (standard !== undefined && microsoft !== undefined) {
    throw new PkiError('csr-malformed', 'CSR: has two extension requests, must have one')
  }
  const request = standard ?? microsoft
  const extensions =
    request === undefined
      ? []
      : readDer(request, 'CSR extensions', (reader) => readExtensions(reader, 'CSR extensions'))
  checkCount(extensions.length, 'extensions')
  return { extensions, ...meaningOf(extensions) }
}

function checkCount(count: number, what: string): void {
  if (count <= mostWishes) return
  throw new PkiError('csr-malformed', `CSR: asks for more than ${mostWishes} ${what}`)
}

function meaningOf(extensions: readonly Extension[]): Omit<RequestedExtensions, 'extensions'> {
  const value = (oid: string) => extensions.find((extension) => extension.oid === oid)?.value
  const basicConstraints = value(extensionOids.basicConstraints)
  const keyUsage = value(extensionOids.keyUsage)
  const extendedKeyUsage = value(extensionOids.extendedKeyUsage)
  const subjectAltNames = value(extensionOids.subjectAltName)
  return {
    basicConstraints: basicConstraints && decodeBasicConstraints(basicConstraints),
    keyUsage: keyUsage && decodeKeyUsage(keyUsage),
    extendedKeyUsage: extendedKeyUsage && decodeExtendedKeyUsage(extendedKeyUsage),
    subjectAltNames: subjectAltNames === undefined ? [] : decodeSubjectAltNames(subjectAltNames),
  }
}

function onlyValue(attributes: readonly CsrAttribute[], type: string): Buffer | undefined {
  const attribute = attributes.find((candidate) => candidate.type === type)
  if (attribute !== undefined && attribute.values.length !== 1) {
    throw new PkiError(
      'csr-malformed',
      `CSR: the attribute ${type} must have one value (RFC 2985 section 5.4)`,
    )
  }
  return attribute?.values[0]
}
