import type { KeyObject } from 'node:crypto'
import {
  type AdmittedSubject,
  type Certificate,
  type CertificateUrls,
  createIssuingCertificate,
  createRootCertificate,
  issueCertificate,
  type Issuer,
} from '../certificate/index.ts'
import { parseDeviceId } from '../device-id.ts'
import { exportPrivateKey, generateKeyPair, type KeyPair, keySigner } from '../key/index.ts'
import { defaultProfiles, type Profile } from '../profile/index.ts'
import { newSerial } from '../serial.ts'

export { altered } from './altered.ts'
export { fuzzing } from './fuzzing.ts'
export { collectGarbage } from './garbage.ts'
export { testKeyPair } from './key-pair.ts'

/** How a CA of a test is made. */
export interface CaWish {
  readonly commonName: string
  readonly organization?: string
  /** Default: new P-256 keys. */
  readonly keys?: KeyPair
  /** The moment of issuance; default: a year ago. */
  readonly now?: Date
}

/** A root and its two issuing CAs. */
export interface TestHierarchy {
  readonly root: Issuer
  readonly devices: Issuer
  readonly services: Issuer
}

const yearMs = 365 * 86_400_000

function parts({ keys = generateKeyPair('P-256'), now = new Date(Date.now() - yearMs), ...names }: CaWish) {
  return { signer: keySigner(keys.privateKey), options: { ...names, now, serial: newSerial() } }
}

/** Makes a root. */
export async function makeRoot(wish: CaWish): Promise<Issuer> {
  const { signer, options } = parts(wish)
  return { certificate: await createRootCertificate({ ...options, signer }), signer }
}

/** Makes an issuing CA below `root`. */
export async function makeIssuing(root: Issuer, wish: CaWish): Promise<Issuer> {
  const { signer, options } = parts(wish)
  const { publicKey } = signer
  return { certificate: await createIssuingCertificate({ ...options, issuer: root, publicKey }), signer }
}

/**
 * Makes a hierarchy as the enrollment server does. Two of them differ in their keys alone: every name in them is
 * the same.
 */
export async function makeHierarchy(now?: Date): Promise<TestHierarchy> {
  const when = now && { now }
  const root = await makeRoot({ commonName: 'Test Root', ...when })
  const [devices, services] = await Promise.all([
    makeIssuing(root, { commonName: 'Test Devices', ...when }),
    makeIssuing(root, { commonName: 'Test Services', ...when }),
  ])
  return { root, devices, services }
}

/** What is to be in a certificate. */
export interface LeafWish extends Pick<AdmittedSubject, 'trustDomain' | 'dns' | 'ip'> {
  readonly id: string
  /** Default: that of a device. */
  readonly profile?: Profile
  /** Default: that of the profile. */
  readonly lifetimeSeconds?: number
  /** The moment of issuance; default: now. */
  readonly issuedAt?: Date
  readonly urls?: CertificateUrls
}

/** A certificate with its key and the CA that issued it, as TLS takes them. */
export interface TestLeaf {
  readonly privateKey: KeyObject
  /** PEM. */
  readonly key: string
  /** PEM: the leaf, then its issuer. */
  readonly cert: string
  readonly certificate: Certificate
  readonly chain: readonly [Certificate]
}

/** Issues a certificate for a key that is there already. */
export async function issueFor(
  issuer: Issuer,
  wish: LeafWish & { publicKey: KeyObject },
): Promise<Certificate> {
  const { id, profile = defaultProfiles.device, lifetimeSeconds, issuedAt, publicKey, urls, ...names } = wish
  return issueCertificate({
    profile: lifetimeSeconds === undefined ? profile : { ...profile, lifetimeSeconds },
    issuer,
    subject: { id: parseDeviceId(id), ...names },
    publicKey,
    serial: newSerial(),
    now: issuedAt ?? new Date(),
    ...(urls && { urls }),
  })
}

/** Issues a certificate with a new P-256 key. */
export async function issueLeaf(issuer: Issuer, wish: LeafWish): Promise<TestLeaf> {
  const { privateKey, publicKey } = generateKeyPair('P-256')
  const certificate = await issueFor(issuer, { ...wish, publicKey })
  return {
    privateKey,
    key: exportPrivateKey(privateKey),
    cert: certificate.pem + issuer.certificate.pem,
    certificate,
    chain: [issuer.certificate],
  }
}
