import { randomBytes } from 'node:crypto'
import {
  exportPrivateKey,
  generateKeyPair,
  keySigner,
  nameOf,
  newSerial,
  parseCertificate,
  toPem,
} from '@fleetroot/pki'
import type { ExtendedKeyUsage, Issuer, Name, SubjectAltName } from '@fleetroot/pki'
// What no sane issuer makes does not come out of pki's front door; these tests use its DER writer.
import {
  bitString,
  explicit,
  implicit,
  integer,
  octetString,
  sequence,
  time,
  unsignedInteger,
} from '../../../pki/src/der/index.ts'
import {
  encodeBasicConstraints,
  encodeExtendedKeyUsage,
  encodeExtension,
  encodeKeyUsage,
  extensionOids,
} from '../../../pki/src/extension/index.ts'
import { encodeSignatureAlgorithm } from '../../../pki/src/key/index.ts'
import { encodeName, encodeSubjectAltNames } from '../../../pki/src/name/index.ts'

const HOUR_MS = 3_600_000

/** What the certificate says; everything else is as in a device certificate valid now. */
export interface UnusualCertificate {
  readonly subject?: Name
  readonly subjectAltNames?: readonly SubjectAltName[]
  readonly ca?: { readonly pathLength?: number }
  readonly notBefore?: Date
  readonly notAfter?: Date
  readonly extendedKeyUsage?: readonly ExtendedKeyUsage[]
  /** Hex; random when absent. */
  readonly subjectKeyId?: string
  /** Signs with another key than that of the issuer it names. */
  readonly forged?: boolean
}

/**
 * Makes a certificate with a new key. It names `issuer` and points to its key, whoever signs it; issuer
 * `self` makes it name and sign itself.
 */
export async function unusualCertificate(issuer: Issuer | 'self', content: UnusualCertificate) {
  const { privateKey, publicKey } = generateKeyPair('P-256')
  const own = {
    subjectDer: encodeName(content.subject ?? nameOf({ commonName: 'unusual' })),
    subjectKeyId: content.subjectKeyId ?? randomBytes(20).toString('hex'),
  }
  const above = issuer === 'self' ? { certificate: own, signer: keySigner(privateKey) } : issuer
  const signer = content.forged === true ? keySigner(generateKeyPair('P-256').privateKey) : above.signer
  const algorithm = encodeSignatureAlgorithm(signer.algorithm)
  const tbs = sequence(
    explicit(0, integer(2)),
    unsignedInteger(Buffer.from(newSerial(), 'hex')),
    algorithm,
    above.certificate.subjectDer,
    sequence(
      time(content.notBefore ?? new Date(Date.now() - HOUR_MS)),
      time(content.notAfter ?? new Date(Date.now() + HOUR_MS)),
    ),
    own.subjectDer,
    publicKey.export({ format: 'der', type: 'spki' }),
    explicit(3, sequence(...extensions(own.subjectKeyId, above.certificate.subjectKeyId ?? '', content))),
  )
  const der = sequence(tbs, algorithm, bitString(await signer.sign(tbs)))
  const chain = issuer === 'self' ? '' : issuer.certificate.pem
  return {
    key: exportPrivateKey(privateKey),
    cert: toPem('CERTIFICATE', der) + chain,
    certificate: parseCertificate(der),
    signer: keySigner(privateKey),
  }
}

function extensions(subjectKeyId: string, issuerKeyId: string, content: UnusualCertificate): Buffer[] {
  const { ca, subjectAltNames = [], extendedKeyUsage = ca === undefined ? ['clientAuth'] : [] } = content
  const list: [oid: string, critical: boolean, value: Buffer][] = [
    [extensionOids.basicConstraints, true, encodeBasicConstraints({ ca: ca !== undefined, ...ca })],
    [extensionOids.keyUsage, true, encodeKeyUsage(ca === undefined ? ['digitalSignature'] : ['keyCertSign'])],
    [extensionOids.subjectKeyIdentifier, false, octetString(Buffer.from(subjectKeyId, 'hex'))],
    [extensionOids.authorityKeyIdentifier, false, sequence(implicit(0, Buffer.from(issuerKeyId, 'hex')))],
  ]
  if (extendedKeyUsage.length > 0) {
    list.push([extensionOids.extendedKeyUsage, false, encodeExtendedKeyUsage(extendedKeyUsage)])
  }
  if (subjectAltNames.length > 0) {
    list.push([extensionOids.subjectAltName, false, encodeSubjectAltNames(subjectAltNames)])
  }
  return list.map(([oid, critical, value]) => encodeExtension({ oid, critical, value }))
}
