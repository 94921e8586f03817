import { createPublicKey, type KeyObject } from 'node:crypto'

import {
  createCsr,
  detectKeyAlgorithm,
  type DeviceId,
  exportPrivateKey,
  fromPem,
  generateKeyPairAsync,
  importPrivateKey,
  type KeyAlgorithm,
  parseCsr,
  publicKeyFingerprint,
  type SubjectAltName,
  toPem,
} from '@fleetroot/pki'

/** What the CSR must ask for. */
export interface RequestSubject {
  id: DeviceId
  keyAlgorithm: KeyAlgorithm
  /** RFC 7030 section 4.2.2: a re-enrollment carries the names of the certificate that it renews. Default none. */
  subjectAltNames?: readonly SubjectAltName[]
}

/** A key that has no certificate yet, and the one CSR that was made for it. */
export interface PendingRequest {
  readonly privateKey: KeyObject
  /** DER. An ECDSA signature is random: a second CSR for the same key would not be the same request. */
  readonly csr: Buffer
}

/** Makes a new key and its CSR. */
export async function newPendingRequest(subject: RequestSubject): Promise<PendingRequest> {
  const { privateKey } = await generateKeyPairAsync(subject.keyAlgorithm)
  const { id, subjectAltNames = [] } = subject
  return { privateKey, csr: createCsr({ privateKey, commonName: id, subjectAltNames }) }
}

/** Text of the record. */
export function formatPendingRequest(request: PendingRequest): string {
  return exportPrivateKey(request.privateKey) + toPem('CERTIFICATE REQUEST', request.csr)
}

/**
 * Reads a record; undefined if it is unreadable or asks for something else than `subject`. Such a record is
 * worth nothing: no certificate depends on it, and a new request replaces it.
 */
export async function parsePendingRequest(
  text: string,
  subject: RequestSubject,
): Promise<PendingRequest | undefined> {
  try {
    const privateKey = importPrivateKey(text.slice(0, text.indexOf('-----BEGIN CERTIFICATE REQUEST')))
    const der = fromPem(text).find(({ label }) => label === 'CERTIFICATE REQUEST')?.der
    if (!der) return undefined
    const csr = await parseCsr(der)
    const fits =
      csr.publicKeyFingerprint === publicKeyFingerprint(createPublicKey(privateKey)) &&
      csr.commonName === subject.id &&
      detectKeyAlgorithm(privateKey) === subject.keyAlgorithm &&
      JSON.stringify(csr.subjectAltNames) === JSON.stringify(subject.subjectAltNames ?? [])
    return fits ? { privateKey, csr: Buffer.from(der) } : undefined
  } catch {
    return undefined
  }
}
