import { createPublicKey, type KeyObject } from 'node:crypto'

import {
  type Certificate,
  createIssuingCertificate,
  createRootCertificate,
  defaultProfiles,
  exportPrivateKey,
  generateKeyPair,
  issueCertificate,
  type Issuer,
  keySigner,
  newSerial,
  parseDeviceId,
  type Profile,
} from '@fleetroot/pki'

/** A key with its certificate and issuing CA, as TLS takes them. */
export interface Leaf {
  key: string
  cert: string
  certificate: Certificate
  privateKey: KeyObject
}

/** What is special about a certificate. */
export interface LeafOptions {
  publicKey?: KeyObject
  issuedAt?: Date
  lifetimeSeconds?: number
}

/** A root with two issuing CAs, made by pki as the enrollment server makes them. */
export interface Authority {
  root: Certificate
  rootIssuer: Issuer
  devices: Issuer
  services: Issuer
  trust: string[]
  /** Root and issuing CAs, as `cacerts` sends them. */
  all: Certificate[]
  issueDevice(id: string, publicKey: KeyObject, options?: LeafOptions): Promise<Certificate>
  device(id: string, options?: LeafOptions): Promise<Leaf>
  /** For localhost and 127.0.0.1. */
  server(options?: LeafOptions & { dns?: string[]; ip?: string[] }): Promise<Leaf>
}

const YEAR_MS = 365 * 86_400_000

/** Two authorities differ in their keys alone: every name in them is the same. */
export async function createAuthority(): Promise<Authority> {
  const root = await createRoot(YEAR_MS)

  async function issuing(commonName: string): Promise<Issuer> {
    const { privateKey, publicKey } = generateKeyPair('P-256')
    const now = new Date(Date.now() - YEAR_MS)
    const serial = newSerial()
    const certificate = await createIssuingCertificate({ issuer: root, publicKey, commonName, serial, now })
    return { certificate, signer: keySigner(privateKey) }
  }
  return authorityOf(root, await issuing('Test Devices'), await issuing('Test Services'))
}

/** A new root with a new key, made so many milliseconds ago. */
export async function createRoot(agoMs: number): Promise<Issuer> {
  const signer = keySigner(generateKeyPair('P-256').privateKey)
  const now = new Date(Date.now() - agoMs)
  const certificate = await createRootCertificate({
    signer,
    commonName: 'Test Root',
    serial: newSerial(),
    now,
  })
  return { certificate, signer }
}

/** An authority of given CAs. */
export function authorityOf(rootIssuer: Issuer, devices: Issuer, services: Issuer): Authority {
  const root = rootIssuer.certificate

  async function issue(
    profile: Profile,
    issuer: Issuer,
    subject: { id: string; dns?: string[]; ip?: string[] },
    publicKey: KeyObject,
    { issuedAt = new Date(), lifetimeSeconds = profile.lifetimeSeconds }: LeafOptions = {},
  ): Promise<Certificate> {
    return issueCertificate({
      profile: { ...profile, lifetimeSeconds },
      issuer,
      subject: { ...subject, id: parseDeviceId(subject.id), trustDomain: 'fleet.test' },
      publicKey,
      serial: newSerial(),
      now: issuedAt,
    })
  }

  async function leaf(issuer: Issuer, make: (publicKey: KeyObject) => Promise<Certificate>): Promise<Leaf> {
    const { privateKey } = generateKeyPair('P-256')
    const certificate = await make(createPublicKey(privateKey))
    return {
      key: exportPrivateKey(privateKey),
      cert: certificate.pem + issuer.certificate.pem,
      certificate,
      privateKey,
    }
  }

  const issueDevice: Authority['issueDevice'] = async (id, publicKey, options) =>
    issue(defaultProfiles.device, devices, { id }, publicKey, options)

  return {
    root,
    rootIssuer,
    devices,
    services,
    trust: [root.pem],
    all: [root, devices.certificate, services.certificate],
    issueDevice,
    device: async (id, options) =>
      leaf(devices, async (key) => issueDevice(id, options?.publicKey ?? key, options)),
    server: async ({ dns = ['localhost'], ip = ['127.0.0.1'], ...options } = {}) =>
      leaf(services, async (key) =>
        issue(defaultProfiles.service, services, { id: 'server', dns, ip }, key, options),
      ),
  }
}
