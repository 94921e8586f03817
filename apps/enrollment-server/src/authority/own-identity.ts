import { createPublicKey } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import {
  type Certificate,
  createCsr,
  type DeviceId,
  exportPrivateKey,
  generateKeyPair,
  importPrivateKey,
  parseCertificates,
  publicKeyFingerprint,
  spiffeUri,
  toPem,
} from '@fleetroot/pki'
import type { DataDirectory } from '@fleetroot/service'
import type { Enroll } from '../enrollment/decisions.ts'
import type { CertificateRecord } from '../registry/records.ts'
import type { Registry } from '../registry/registry.ts'
import { AuthorityError } from './authority-error.ts'
import { readKeptFile } from './kept-file.ts'
import { type Authority, chainOf, issuingOf } from './authority.ts'

/** An identity that the server keeps in the data directory: its own, or its operator's. */
export interface OwnIdentity {
  readonly id: DeviceId
  /** Directory of `key.pem` and `cert.pem` inside the data directory. */
  readonly directory: string
  readonly profile: 'service' | 'operator'
  readonly dns: readonly string[]
  readonly ip: readonly string[]
}

/** What an identity is made with. */
export interface OwnIdentityDependencies {
  readonly data: DataDirectory
  readonly registry: Registry
  readonly authority: () => Authority
  readonly enroll: Enroll
  readonly trustDomain: string
  readonly now: () => Date
  /** Told every file that is made, and why, where that is not plain. */
  readonly made: (file: string, why?: string) => void
}

/**
 * Makes sure that an identity of the server has a certificate with its names and at least a third of its life
 * left, by the CA that issues now and with what is above it, through the same admission and issuance as every device; resolves to `true` when it wrote one. The key
 * is made once and kept until its certificate is revoked, and written before the certificate, so that the pair on
 * disk always belongs together. The caller holds the lock of the data directory.
 */
export async function ensureOwnIdentity(
  identity: OwnIdentity,
  dependencies: OwnIdentityDependencies,
): Promise<boolean> {
  const { data, registry, authority, enroll, trustDomain, now, made } = dependencies
  const { id, directory, profile, dns, ip } = identity
  const keyFile = `${directory}/key.pem`
  const certificateFile = `${directory}/cert.pem`

  const current = await readLeaf(data.file(certificateFile))
  const record = current && (await registry.findCertificate(current.serial))
  // A certificate is revoked because somebody else may have its key.
  if (!existsSync(data.file(keyFile)) || record?.revocation) {
    await data.write(keyFile, exportPrivateKey(generateKeyPair('P-256').privateKey))
    made(keyFile)
  }
  const privateKey = await readKeptFile(data.file(keyFile), importPrivateKey, {
    damaged: 'delete it, and it is made again',
    secret: true,
  })
  const fingerprint = publicKeyFingerprint(createPublicKey(privateKey))
  // The server lives by Services; a certificate of another hierarchy, trust domain or registry is worth nothing here.
  const isOurs =
    current?.authorityKeyId === issuingOf(authority(), 'services').certificate.subjectKeyId &&
    current?.subjectAltNames.some(({ value }) => value === spiffeUri(trustDomain, profile, id))
  const write = async (leaf: string, issuer: string): Promise<boolean> => {
    const text = [leaf, ...chainOf(authority(), issuer).map(({ pem }) => pem)].join('')
    if ((await readFile(data.file(certificateFile), 'utf8').catch(() => '')) === text) return false
    await data.write(certificateFile, text)
    made(certificateFile)
    return true
  }
  if (isOurs && record && current && isGood(current, record, fingerprint, identity, now())) {
    // What is above it may have changed: a root that is replaced.
    return write(current.pem, record.issuer)
  }

  const device = { id, profile, dns, ip, labels: {}, createdAtMs: now().getTime() }
  if (!(await registry.addDevice(device))) await registry.renameDevice(device)
  const csr = createCsr({ privateKey, commonName: id })
  const outcome = await enroll({ credential: { kind: 'local', id }, csr }, { protocol: 'local' })
  if (!outcome.ok) {
    throw new AuthorityError('mismatch', `cannot issue the certificate of ${id}: ${outcome.detail}`)
  }
  const { der, issuer } = outcome.certificate
  return write(toPem('CERTIFICATE', der), issuer)
}

async function readLeaf(path: string): Promise<Certificate | undefined> {
  if (!existsSync(path)) return undefined
  try {
    return parseCertificates(await readFile(path, 'utf8'))[0]
  } catch {
    // Whatever it is, it can be made again from the key.
    return undefined
  }
}

function isGood(
  certificate: Certificate,
  { issuedAtMs, notAfterMs }: CertificateRecord,
  fingerprint: string,
  identity: OwnIdentity,
  now: Date,
): boolean {
  const names = certificate.subjectAltNames.filter(({ type }) => type !== 'uri').map(({ value }) => value)
  const wanted = [...identity.dns, ...identity.ip]
  return (
    certificate.publicKeyFingerprint === fingerprint &&
    // One from the future was made before the clock was set back.
    now >= certificate.notBefore &&
    // From the issuance: notBefore lies an hour before it, which is long for a short life.
    now.getTime() < issuedAtMs + ((notAfterMs - issuedAtMs) * 2) / 3 &&
    names.length === wanted.length &&
    wanted.every((name) => names.includes(name))
  )
}
