import { readFile } from 'node:fs/promises'
import {
  type Certificate,
  describeCertificate,
  formatName,
  parseCertificate,
  parseCertificates,
  PkiError,
} from '@fleetroot/pki'
import type { Run } from '../command/command.ts'
import { FleetctlError } from '../error.ts'

export const inspectCertificates: Run = async (input) => {
  const [path = ''] = input.args
  const certificates = readCertificates(await readFile(path), path)
  return {
    kind: 'text',
    json: { items: certificates.map(showCertificate) },
    text: certificates.map(describeCertificate).join('\n\n'),
  }
}

function readCertificates(content: Buffer, path: string): Certificate[] {
  try {
    // DER begins with a SEQUENCE, PEM with dashes or with what somebody wrote above it.
    if (content[0] === 0x30) return [parseCertificate(content)]
    const found = parseCertificates(content.toString('utf8'))
    if (found.length > 0) return found
  } catch (error) {
    if (!(error instanceof PkiError)) throw error
    throw new FleetctlError('file-unusable', `${path}: ${error.message}`, { cause: error })
  }
  throw new FleetctlError('file-unusable', `${path}: no certificate in it; give PEM or DER`)
}

function showCertificate(certificate: Certificate): Record<string, unknown> {
  const { serial, subject, issuer, notBefore, notAfter, subjectAltNames, keyUsage, extendedKeyUsage } =
    certificate
  return {
    serial,
    subject: formatName(subject),
    issuer: formatName(issuer),
    notBefore: notBefore.toISOString(),
    notAfter: notAfter.toISOString(),
    names: subjectAltNames.map(({ type, value }) => ({ type, value })),
    isAuthority: certificate.basicConstraints?.ca === true,
    keyUsage: keyUsage ?? [],
    extendedKeyUsage: extendedKeyUsage ?? [],
    subjectKeyId: certificate.subjectKeyId ?? null,
    authorityKeyId: certificate.authorityKeyId ?? null,
    publicKeyFingerprint: certificate.publicKeyFingerprint,
    fingerprint256: certificate.fingerprint256,
  }
}
