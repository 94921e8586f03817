import { hash } from 'node:crypto'
import {
  contextConstructed,
  explicit,
  implicit,
  integer,
  nullValue,
  oid,
  readDerInPlace,
  sequence,
  Tag,
  time,
  unsignedInteger,
} from '../der/index.ts'
import { PkiError } from '../error.ts'
import {
  encodeBasicConstraints,
  encodeExtendedKeyUsage,
  encodeExtension,
  encodeKeyUsage,
  extensionOids,
} from '../extension/index.ts'
import { encodeSignatureAlgorithm, type SignatureAlgorithm } from '../key/index.ts'
import { encodeSubjectAltNames, type SubjectAltName } from '../name/index.ts'
import type { KeyUsage, Profile } from '../profile/profile.ts'
import type { SerialNumber } from '../serial.ts'
import { accessMethods } from './extension-facts.ts'

/** Where a relying party finds the issuer's certificate and revocation data. Absent until something serves it. */
export interface CertificateUrls {
  readonly caIssuers?: string
  readonly crl?: string
  readonly ocsp?: string
}

/** What all certificates of one profile, issuer and kind of key have in common, encoded once. */
export interface TbsTemplate {
  readonly signatureAlgorithm: SignatureAlgorithm
  /** `signature` and `issuer`, as {@link Octets}. */
  readonly algorithmAndIssuer: Octets
  /** Every extension that does not depend on the subject. */
  readonly extensions: Octets
}

/**
 * DER as a string with one character per octet. Splicing strings costs no allocation per element, as buffers
 * do: V8 links the pieces and flattens them once, 4 µs a certificate instead of 10.
 */
type Octets = string

/** What differs from one certificate to the next. */
export interface TbsVariables {
  readonly serial: SerialNumber
  readonly notBefore: Date
  readonly notAfter: Date
  /** Name, DER. */
  readonly subject: Buffer
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKeyInfo: Buffer
  readonly subjectAltNames: readonly SubjectAltName[]
}

/** The usages that a profile gives a key: keyEncipherment comes on RSA keys only, and only where asked. */
export function profileKeyUsage(profile: Profile, isRsa: boolean): readonly KeyUsage[] {
  if (!isRsa || !profile.rsaKeyEncipherment || profile.keyUsage.includes('keyEncipherment')) {
    return profile.keyUsage
  }
  return [...profile.keyUsage, 'keyEncipherment']
}

/** Encodes the constant part of a profile's certificates. `issuer.subjectKeyId` is lower-case hex. */
export function makeTemplate(options: {
  profile: Profile
  signatureAlgorithm: SignatureAlgorithm
  issuer: { readonly subjectDer: Buffer; readonly subjectKeyId: string }
  isRsa: boolean
  urls: CertificateUrls
}): TbsTemplate {
  const { profile, signatureAlgorithm, issuer, isRsa, urls } = options
  const { ca, pathLength } = profile
  const constraints = encodeBasicConstraints({ ca, pathLength })
  const usage = encodeKeyUsage(profileKeyUsage(profile, isRsa))
  // AuthorityKeyIdentifier ::= SEQUENCE { keyIdentifier [0] IMPLICIT OCTET STRING, … }
  const authorityKeyId = sequence(implicit(0, Buffer.from(issuer.subjectKeyId, 'hex')))
  const extensions = [
    encodeExtension({ oid: extensionOids.basicConstraints, critical: true, value: constraints }),
    encodeExtension({ oid: extensionOids.keyUsage, critical: true, value: usage }),
    encodeExtension({ oid: extensionOids.authorityKeyIdentifier, critical: false, value: authorityKeyId }),
  ]
  const add = (id: string, value: Buffer) => {
    extensions.push(encodeExtension({ oid: id, critical: false, value }))
  }
  if (profile.extendedKeyUsage.length > 0) {
    add(extensionOids.extendedKeyUsage, encodeExtendedKeyUsage(profile.extendedKeyUsage))
  }
  if (profile.policies.length > 0) {
    add(
      extensionOids.certificatePolicies,
      sequence(...profile.policies.map((policy) => sequence(oid(policy)))),
    )
  }
  if (profile.ocspNoCheck) add(extensionOids.ocspNoCheck, nullValue())
  if (urls.crl !== undefined) add(extensionOids.cRLDistributionPoints, encodeCrlUrl(urls.crl))
  const access = encodeAccess(urls)
  if (access !== undefined) add(extensionOids.authorityInfoAccess, access)
  return {
    signatureAlgorithm,
    algorithmAndIssuer: octets(encodeSignatureAlgorithm(signatureAlgorithm)) + octets(issuer.subjectDer),
    extensions: extensions.map(octets).join(''),
  }
}

/** Splices one subject into a template: the finished TBSCertificate (RFC 5280, 4.1.2). */
export function fillTemplate(template: TbsTemplate, variables: TbsVariables): Buffer {
  const { serial, notBefore, notAfter, subject, publicKeyInfo, subjectAltNames } = variables
  const names =
    subjectAltNames.length === 0
      ? ''
      : extension(subjectAltNameOid, octets(encodeSubjectAltNames(subjectAltNames)))
  const keyId = extension(subjectKeyIdOid, element(Tag.octetString, octets(keyIdentifier(publicKeyInfo))))
  const tbs = element(
    Tag.sequence,
    version3 +
      octets(unsignedInteger(Buffer.from(serial, 'hex'))) +
      template.algorithmAndIssuer +
      validityOctets(notBefore, notAfter) +
      octets(subject) +
      octets(publicKeyInfo) +
      element(contextConstructed(3), element(Tag.sequence, template.extensions + keyId + names)),
  )
  return Buffer.from(tbs, 'latin1')
}

let latest = { notBefore: Number.NaN, notAfter: Number.NaN, octets: '' }

/** Validity ::= SEQUENCE { notBefore Time, notAfter Time }, which is the same for all certificates of one second. */
function validityOctets(notBefore: Date, notAfter: Date): Octets {
  const times = { notBefore: notBefore.getTime(), notAfter: notAfter.getTime() }
  if (times.notBefore !== latest.notBefore || times.notAfter !== latest.notAfter) {
    latest = { ...times, octets: element(Tag.sequence, octets(time(notBefore)) + octets(time(notAfter))) }
  }
  return latest.octets
}

const version3 = octets(explicit(0, integer(2)))
const subjectAltNameOid = octets(oid(extensionOids.subjectAltName))
const subjectKeyIdOid = octets(oid(extensionOids.subjectKeyIdentifier))

/** An extension that is not critical. */
function extension(id: Octets, value: Octets): Octets {
  return element(Tag.sequence, id + element(Tag.octetString, value))
}

function element(tag: number, content: Octets): Octets {
  const { length } = content
  if (length < 0x80) return String.fromCharCode(tag, length) + content
  if (length < 0x100) return String.fromCharCode(tag, 0x81, length) + content
  if (length < 0x10000) return String.fromCharCode(tag, 0x82, length >> 8, length & 0xff) + content
  throw new PkiError('issuance-refused', `certificate: ${length} octets are more than a certificate may have`)
}

function octets(der: Buffer): Octets {
  return der.toString('latin1')
}

/**
 * The key identifier of RFC 7093, section 2, method 1: the leftmost 160 bits of the SHA-256 of the
 * subjectPublicKey BIT STRING. RFC 5280's own method is SHA-1, which some platforms no longer compute.
 */
export function keyIdentifier(publicKeyInfo: Uint8Array): Buffer {
  const key = readDerInPlace(publicKeyInfo, 'subjectPublicKeyInfo', (reader) => {
    const info = reader.sequence('subjectPublicKeyInfo')
    info.element('algorithm')
    return info.bitString('subjectPublicKey')
  })
  return hash('sha256', key, 'buffer').subarray(0, 20)
}

/** One DistributionPoint { distributionPoint [0] { fullName [0] { uniformResourceIdentifier [6] } } } (4.2.1.13) */
export function encodeCrlUrl(url: string): Buffer {
  return sequence(sequence(explicit(0, explicit(0, implicit(6, Buffer.from(url, 'latin1'))))))
}

/** SEQUENCE OF AccessDescription { accessMethod, accessLocation uniformResourceIdentifier [6] } (4.2.2.1) */
function encodeAccess(urls: CertificateUrls): Buffer | undefined {
  const descriptions = (['ocsp', 'caIssuers'] as const).flatMap((method) => {
    const url = urls[method]
    if (url === undefined) return []
    return [sequence(oid(accessMethods[method]), implicit(6, Buffer.from(url, 'latin1')))]
  })
  return descriptions.length === 0 ? undefined : sequence(...descriptions)
}
