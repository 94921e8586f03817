import { createPublicKey } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import {
  type Certificate,
  defaultProfiles,
  type DeviceId,
  exportPrivateKey,
  generateKeyPair,
  importPrivateKey,
  issueCertificate,
  type Issuer,
  keySigner,
  newSerial,
  parseCertificate,
  publicKeyFingerprint,
} from '@fleetroot/pki'
import type { DataDirectory } from '@fleetroot/service'
import { AuthorityError } from '../authority/authority-error.ts'
import { type IssuingAuthority, signingIssuer } from '../authority/authority.ts'
import { certificateUrls } from '../authority/urls.ts'
import type { Registry } from '../registry/registry.ts'

/** What responder identities are made with. */
export interface ResponderDependencies {
  readonly data: DataDirectory
  readonly registry: Registry
  readonly trustDomain: string
  readonly publicUrl: string
  readonly now: () => Date
  readonly made: (file: string) => void
}

/**
 * Makes sure that `ocsp/<issuer>.key` and `ocsp/<issuer>.crt` are a responder that the CA delegated to (RFC 6960,
 * section 4.2.2.2) with at least a third of its life left, and resolves to it. So OCSP requests, which anybody
 * sends, are never signed with the key that issues. Its certificate is recorded like every other. The caller holds
 * the lock of the data directory.
 * @throws {AuthorityError} when the registry refuses it
 */
export async function ensureResponder(
  issuer: IssuingAuthority,
  dependencies: ResponderDependencies,
): Promise<Issuer> {
  const { data, registry, now, made } = dependencies
  const { id: name } = issuer
  const keyFile = `ocsp/${name}.key`
  const certificateFile = `ocsp/${name}.crt`
  const current = await readCertificate(data.file(certificateFile))
  const record = current && (await registry.findCertificate(current.serial))
  if (!existsSync(data.file(keyFile)) || record?.revocation) {
    await data.write(keyFile, exportPrivateKey(generateKeyPair('P-256').privateKey))
    made(keyFile)
  }
  const privateKey = importPrivateKey(await readFile(data.file(keyFile), 'utf8'))
  const signer = keySigner(privateKey)
  const fingerprint = publicKeyFingerprint(createPublicKey(privateKey))
  const isGood =
    current?.publicKeyFingerprint === fingerprint &&
    current.authorityKeyId === issuer.certificate.subjectKeyId &&
    record !== undefined &&
    now() >= current.notBefore &&
    now().getTime() < record.issuedAtMs + ((record.notAfterMs - record.issuedAtMs) * 2) / 3
  if (isGood) return { certificate: current, signer }

  const certificate = await issueResponder(issuer, privateKey, dependencies)
  await data.write(certificateFile, certificate.pem)
  made(certificateFile)
  return { certificate, signer }
}

async function issueResponder(
  issuer: IssuingAuthority,
  privateKey: Parameters<typeof keySigner>[0],
  { registry, trustDomain, publicUrl, now }: ResponderDependencies,
): Promise<Certificate> {
  const { id: name } = issuer
  const id = `ocsp-${name}` as DeviceId
  const profile = defaultProfiles.ocsp
  const issuedAt = now()
  const publicKey = createPublicKey(privateKey)
  const { caIssuers } = certificateUrls(publicUrl, name)
  const certificate = await issueCertificate({
    profile,
    issuer: signingIssuer(issuer),
    subject: { id, trustDomain },
    publicKey,
    serial: newSerial(),
    now: issuedAt,
    // Where it could be revoked is left out: nobody asks, as id-pkix-ocsp-nocheck says.
    ...(caIssuers !== undefined && { urls: { caIssuers } }),
  })
  const createdAtMs = issuedAt.getTime()
  await registry.addDevice({ id, profile: profile.name, dns: [], ip: [], labels: {}, createdAtMs })
  const outcome = await registry.recordCertificate({
    certificate: {
      serial: certificate.serial,
      deviceId: id,
      profile: profile.name,
      issuer: name,
      publicKey: certificate.publicKeyFingerprint,
      notBeforeMs: certificate.notBefore.getTime(),
      notAfterMs: certificate.notAfter.getTime(),
      issuedAtMs: createdAtMs,
      der: new Uint8Array(certificate.der),
    },
    origin: { protocol: 'local' },
    retryWindowMs: 0,
  })
  if (outcome.outcome === 'recorded') return certificate
  throw new AuthorityError('mismatch', `cannot issue the certificate of ${id}: the registry refused it`)
}

async function readCertificate(path: string): Promise<Certificate | undefined> {
  if (!existsSync(path)) return undefined
  try {
    return parseCertificate(await readFile(path, 'utf8'))
  } catch {
    // Whatever it is, it can be made again.
    return undefined
  }
}
