import {
  createIssuingCertificate,
  createRootCertificate,
  defaultProfiles,
  exportPrivateKey,
  generateKeyPair,
  issueCertificate,
  keySigner,
  newSerial,
  parseDeviceId,
} from '@fleetroot/pki'
import type { Certificate, Issuer, Profile } from '@fleetroot/pki'
import type { PeerTrust } from '../peer/identity.ts'
import { trustedIssuers } from '../peer/issuer.ts'

/** A leaf with its key, as `tls-config` takes them. */
export interface Leaf {
  readonly key: string
  readonly cert: string
  readonly certificate: Certificate
}

/** What a leaf says; the profile decides whose certificate it is. */
export interface LeafRequest {
  readonly id?: string
  readonly profile?: Profile
  readonly issuer?: Issuer
  /** The moment of issuance. */
  readonly at?: Date
}

/** A root and its two issuing CAs, made by pki as the enrollment server makes them. */
export interface Fleet {
  readonly root: Issuer
  readonly devices: Issuer
  readonly services: Issuer
  readonly trust: string[]
  issue(request?: LeafRequest): Promise<Leaf>
  /** A server certificate for localhost and 127.0.0.1. */
  issueServer(request?: LeafRequest): Promise<Leaf>
  peerTrust(now?: Date): PeerTrust
}

const YEAR_MS = 365 * 86_400_000

/** Fleets have the same names in every certificate; two of them differ in their keys alone. */
export async function createFleet(): Promise<Fleet> {
  const madeAt = new Date(Date.now() - YEAR_MS)
  const rootSigner = keySigner(generateKeyPair('P-256').privateKey)
  const rootRequest = { signer: rootSigner, commonName: 'Fleetroot Root', serial: newSerial(), now: madeAt }
  const root: Issuer = { certificate: await createRootCertificate(rootRequest), signer: rootSigner }
  const devices = await issuingCa(root, 'Fleetroot Devices', madeAt)
  const services = await issuingCa(root, 'Fleetroot Services', madeAt)

  async function issue(
    request: LeafRequest = {},
    names: { dns?: string[]; ip?: string[] } = {},
  ): Promise<Leaf> {
    const { id = 'dev-1', profile = defaultProfiles.device, at = new Date() } = request
    const issuer = request.issuer ?? (profile.issuer === 'devices' ? devices : services)
    const { privateKey, publicKey } = generateKeyPair('P-256')
    const subject = { id: parseDeviceId(id), trustDomain: 'fleet.example', ...names }
    const certificate = await issueCertificate({
      profile,
      issuer,
      subject,
      publicKey,
      serial: newSerial(),
      now: at,
    })
    return { key: exportPrivateKey(privateKey), cert: certificate.pem + issuer.certificate.pem, certificate }
  }

  return {
    root,
    devices,
    services,
    trust: [root.certificate.pem],
    issue,
    issueServer: (request = {}) =>
      issue(
        { id: 'server', profile: defaultProfiles.service, ...request },
        { dns: ['localhost'], ip: ['127.0.0.1'] },
      ),
    peerTrust: (now = new Date()) => ({
      issuers: trustedIssuers({ devices: [devices.certificate], services: [services.certificate] }),
      now,
    }),
  }
}

async function issuingCa(issuer: Issuer, commonName: string, now: Date): Promise<Issuer> {
  const { privateKey, publicKey } = generateKeyPair('P-256')
  const certificate = await createIssuingCertificate({
    issuer,
    publicKey,
    commonName,
    serial: newSerial(),
    now,
  })
  return { certificate, signer: keySigner(privateKey) }
}
