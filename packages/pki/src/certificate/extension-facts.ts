import {
  contextConstructed,
  contextPrimitive,
  type DerReader,
  readDerInPlace,
  rememberOids,
} from '../der/index.ts'
import { PkiError } from '../error.ts'
import {
  decodeBasicConstraints,
  decodeExtendedKeyUsage,
  decodeKeyUsage,
  type Extension,
  extensionOids,
} from '../extension/index.ts'
import { decodeSubjectAltNames } from '../name/index.ts'
import type { ExtensionFacts } from './certificate.ts'

/** Access methods of AuthorityInfoAccess (RFC 5280, 4.2.2.1). */
export const accessMethods = { ocsp: '1.3.6.1.5.5.7.48.1', caIssuers: '1.3.6.1.5.5.7.48.2' } as const
rememberOids(Object.values(accessMethods))

type Writable<T> = { -readonly [K in keyof T]: T[K] }

/**
 * What the extensions say. An extension that is known here must decode; others are left as they stand in
 * `extensions`, for whoever decides about trust to refuse the critical ones.
 *
 * @throws PkiError `der-invalid`, `extension-invalid` or `certificate-malformed`
 */
export function readExtensionFacts(extensions: readonly Extension[]): ExtensionFacts {
  const facts: Writable<ExtensionFacts> = {
    extensions,
    basicConstraints: undefined,
    keyUsage: undefined,
    extendedKeyUsage: undefined,
    subjectAltNames: [],
    subjectKeyId: undefined,
    authorityKeyId: undefined,
    policies: [],
    crlUrls: [],
    caIssuersUrls: [],
    ocspUrls: [],
    ocspNoCheck: false,
  }
  for (const { oid, value } of extensions) {
    if (oid === extensionOids.basicConstraints) facts.basicConstraints = decodeBasicConstraints(value)
    else if (oid === extensionOids.keyUsage) facts.keyUsage = decodeKeyUsage(value)
    else if (oid === extensionOids.extendedKeyUsage) facts.extendedKeyUsage = decodeExtendedKeyUsage(value)
    else if (oid === extensionOids.subjectAltName) facts.subjectAltNames = decodeSubjectAltNames(value)
    else if (oid === extensionOids.subjectKeyIdentifier) facts.subjectKeyId = readSubjectKeyId(value)
    else if (oid === extensionOids.authorityKeyIdentifier) facts.authorityKeyId = readAuthorityKeyId(value)
    else if (oid === extensionOids.certificatePolicies) facts.policies = readPolicies(value)
    else if (oid === extensionOids.cRLDistributionPoints) facts.crlUrls = readCrlUrls(value)
    else if (oid === extensionOids.authorityInfoAccess) Object.assign(facts, readAccess(value))
    else if (oid === extensionOids.ocspNoCheck) facts.ocspNoCheck = readNoCheck(value)
  }
  return facts
}

/** SubjectKeyIdentifier ::= OCTET STRING (RFC 5280, 4.2.1.2) */
function readSubjectKeyId(der: Buffer): string {
  return readDerInPlace(der, 'subjectKeyIdentifier', (reader) =>
    reader.octetString('subjectKeyIdentifier'),
  ).toString('hex')
}

/**
 *     AuthorityKeyIdentifier ::= SEQUENCE {                             -- RFC 5280, 4.2.1.1
 *         keyIdentifier             [0] IMPLICIT OCTET STRING OPTIONAL,
 *         authorityCertIssuer       [1] IMPLICIT GeneralNames OPTIONAL,
 *         authorityCertSerialNumber [2] IMPLICIT INTEGER OPTIONAL }
 */
export function readAuthorityKeyId(der: Buffer): string | undefined {
  const what = 'authorityKeyIdentifier'
  return readDerInPlace(der, what, (reader) => {
    const fields = reader.sequence(what)
    let keyId: string | undefined
    if (fields.peek() === contextPrimitive(0)) {
      keyId = fields.primitive(contextPrimitive(0), 'keyIdentifier').toString('hex')
    }
    if (fields.peek() === contextConstructed(1)) fields.element('authorityCertIssuer')
    if (fields.peek() === contextPrimitive(2))
      fields.primitive(contextPrimitive(2), 'authorityCertSerialNumber')
    fields.end(what)
    return keyId
  })
}

/**
 *     certificatePolicies ::= SEQUENCE SIZE (1..MAX) OF SEQUENCE {      -- RFC 5280, 4.2.1.4
 *         policyIdentifier OBJECT IDENTIFIER,
 *         policyQualifiers SEQUENCE OF PolicyQualifierInfo OPTIONAL }
 */
function readPolicies(der: Buffer): string[] {
  const what = 'certificatePolicies'
  return readSequence(der, what, (list) => {
    const policy = list.sequence(what)
    const oid = policy.oid('policyIdentifier')
    if (!policy.done) policy.element('policyQualifiers')
    policy.end(what)
    return [oid]
  })
}

/**
 *     CRLDistributionPoints ::= SEQUENCE SIZE (1..MAX) OF SEQUENCE {    -- RFC 5280, 4.2.1.13
 *         distributionPoint [0] CHOICE { fullName [0] GeneralNames, … } OPTIONAL,
 *         reasons           [1] ReasonFlags OPTIONAL,
 *         cRLIssuer         [2] GeneralNames OPTIONAL }
 *
 * Only URLs of points that cover all reasons and all issuers are given out: whoever reads the list fetches
 * each and believes it.
 */
export function readCrlUrls(der: Buffer): string[] {
  const what = 'cRLDistributionPoints'
  return readSequence(der, what, (list) => {
    const point = list.sequence(what)
    const urls: string[] = []
    const name = point.optionalExplicit(0, 'distributionPoint')
    if (name !== undefined) {
      if (name.peek() === contextConstructed(0)) {
        const fullName = name.constructed(contextConstructed(0), 'fullName')
        while (!fullName.done) urls.push(...readUrl(fullName, 'fullName'))
      } else name.element('nameRelativeToCRLIssuer')
      name.end('distributionPoint')
    }
    const isWhole = point.done
    while (!point.done) point.element(what)
    return isWhole ? urls : []
  })
}

/** AuthorityInfoAccessSyntax ::= SEQUENCE SIZE (1..MAX) OF SEQUENCE { accessMethod OID, accessLocation GeneralName } */
function readAccess(der: Buffer): { ocspUrls: string[]; caIssuersUrls: string[] } {
  const what = 'authorityInfoAccess'
  const ocspUrls: string[] = []
  const caIssuersUrls: string[] = []
  readSequence(der, what, (list) => {
    const description = list.sequence(what)
    const method = description.oid('accessMethod')
    const urls = readUrl(description, 'accessLocation')
    description.end(what)
    if (method === accessMethods.ocsp) ocspUrls.push(...urls)
    if (method === accessMethods.caIssuers) caIssuersUrls.push(...urls)
    return urls
  })
  return { ocspUrls, caIssuersUrls }
}

/** uniformResourceIdentifier [6] IA5String; other forms of GeneralName are walked and give nothing. */
function readUrl(reader: DerReader, what: string): string[] {
  const tag = contextPrimitive(6)
  if (reader.peek() !== tag) {
    reader.element(what)
    return []
  }
  const url = reader.primitive(tag, what).toString('latin1')
  if (!/^[!-~]*$/.test(url)) throw new PkiError('certificate-malformed', `${what}: not a URL in ASCII`)
  return [url]
}

/** The extension's value is NULL (RFC 6960, 4.2.2.2.1). */
function readNoCheck(der: Buffer): boolean {
  readDerInPlace(der, 'ocspNoCheck', (reader) => reader.null('ocspNoCheck'))
  return true
}

/** A SEQUENCE SIZE (1..MAX) OF. */
function readSequence<T>(der: Buffer, what: string, readItems: (list: DerReader) => T[]): T[] {
  return readDerInPlace(der, what, (reader) => {
    const list = reader.sequence(what)
    const items = readItems(list)
    while (!list.done) items.push(...readItems(list))
    return items
  })
}
