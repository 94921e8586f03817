import { createPublicKey, type KeyObject } from 'node:crypto'

import {
  type Certificate,
  certificateIdentity,
  type DeviceId,
  exportPrivateKey,
  fromPem,
  importPrivateKey,
  parseCertificate,
  publicKeyFingerprint,
} from '@fleetroot/pki'

import { DeviceClientError } from '../error.ts'

/** A device's key and certificate as the identity store keeps them. Fits wherever `key` and `cert` go into TLS. */
export interface StoredIdentity {
  readonly id: DeviceId
  /** Private key, PEM PKCS#8, not encrypted. */
  readonly key: string
  /** The certificate and the issuing CAs after it, PEM, leaf first, without the root. */
  readonly cert: string
  readonly certificate: Certificate
  readonly chain: readonly Certificate[]
  /** When the certificate was stored first; its notBefore if the record does not say. */
  readonly obtainedAt: Date
}

/** What `IdentityStore.save` takes. */
export interface NewIdentity {
  privateKey: KeyObject
  certificate: Certificate
  /** Issuing CAs, nearest first, without the root. */
  chain: readonly Certificate[]
  /** Default: now. */
  obtainedAt?: Date
}

const obtainedLine = /^Obtained: (\S+)$/m

/** Text of the record: a line that PEM readers skip (RFC 7468 section 2), the key, then leaf and issuing CAs, which OpenSSL's loaders read from one file. */
export function formatIdentity(identity: NewIdentity): string {
  const { privateKey, certificate, chain, obtainedAt = new Date() } = identity
  const certificates = [certificate, ...chain].map(({ pem }) => pem)
  return recordText(obtainedAt, exportPrivateKey(privateKey), certificates.join(''))
}

/** The text that `identity` was read from. */
export function formatStored(identity: StoredIdentity): string {
  return recordText(identity.obtainedAt, identity.key, identity.cert)
}

function recordText(obtainedAt: Date, key: string, certificates: string): string {
  return `Obtained: ${obtainedAt.toISOString()}\n${key}${certificates}`
}

/**
 * Reads a record. Throws DeviceClientError `store-damaged` (naming `source`) if a part is missing, cannot be
 * read, the key is not the certificate's, or the certificate names no identity.
 */
export function parseIdentity(text: string, source: string): StoredIdentity {
  try {
    const blocks = fromPem(text)
    const key = blocks.find(({ label }) => label === 'PRIVATE KEY')
    const [leaf, ...issuers] = blocks.filter(({ label }) => label === 'CERTIFICATE')
    const certificate = leaf && parseCertificate(leaf.der)
    const chain = issuers.map(({ der }) => issuingCertificate(der))
    if (!key || !certificate) throw damaged(source, 'it needs one PRIVATE KEY and at least one CERTIFICATE')
    const keyPem = text.slice(text.indexOf('-----BEGIN PRIVATE KEY'), text.indexOf('-----BEGIN CERTIFICATE'))
    const ownKey = publicKeyFingerprint(createPublicKey(importPrivateKey(keyPem)))
    if (ownKey !== certificate.publicKeyFingerprint)
      throw damaged(source, 'the key is not that of the certificate')
    const identity = certificateIdentity(certificate)
    if ('refused' in identity) throw damaged(source, `the certificate names no identity: ${identity.detail}`)
    const cert = [certificate, ...chain].map(({ pem }) => pem).join('')
    const obtained = Date.parse(obtainedLine.exec(text)?.[1] ?? '')
    const obtainedAt = Number.isNaN(obtained) ? certificate.notBefore : new Date(obtained)
    return { id: identity.id, key: keyPem, cert, certificate, chain, obtainedAt }
  } catch (error) {
    if (error instanceof DeviceClientError) throw error
    throw damaged(source, error instanceof Error ? error.message : 'unreadable', error)
  }
}

/** Thousands of identities in one process have the same few issuers: one parsed copy of each is enough. */
const issuingCertificates = new Map<string, Certificate>()
const MAX_ISSUING_CERTIFICATES = 16

function issuingCertificate(der: Buffer): Certificate {
  const key = der.toString('latin1')
  const known = issuingCertificates.get(key)
  if (known) return known
  const certificate = parseCertificate(der)
  if (issuingCertificates.size >= MAX_ISSUING_CERTIFICATES) issuingCertificates.clear()
  issuingCertificates.set(key, certificate)
  return certificate
}

function damaged(source: string, why: string, cause?: unknown): DeviceClientError {
  return new DeviceClientError(
    'store-damaged',
    `${source} is no identity: ${why}; restore it from a backup, or delete it and enroll again with a new token`,
    { cause },
  )
}
