import type { KeyObject } from 'node:crypto'
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
} from '@fleetroot/pki'

/** A key with its certificate and issuing CA. */
export interface Leaf {
  readonly privateKey: KeyObject
  readonly key: string
  readonly cert: string
  readonly certificate: Certificate
  readonly chain: readonly Certificate[]
}

/** A root and its two issuing CAs, made by pki as the enrollment server makes them. */
export interface Authority {
  readonly trust: readonly string[]
  /** A certificate for `id`, issued at `at`. */
  issue(id: string, profile: 'device' | 'service' | 'operator', at?: Date): Promise<Leaf>
}

/** Makes an authority that is a year old. */
export async function createAuthority(): Promise<Authority> {
  const madeAt = new Date(Date.now() - 365 * 86_400_000)
  const signer = keySigner(generateKeyPair('P-256').privateKey)
  const certificate = await createRootCertificate({
    signer,
    commonName: 'Fleetroot Root',
    serial: newSerial(),
    now: madeAt,
  })
  const root: Issuer = { certificate, signer }
  const devices = await issuing(root, 'Fleetroot Devices', madeAt)
  const services = await issuing(root, 'Fleetroot Services', madeAt)

  return {
    trust: [certificate.pem],
    async issue(id, profile, at = new Date()) {
      const issuer = profile === 'device' ? devices : services
      const { privateKey, publicKey } = generateKeyPair('P-256')
      const names = profile === 'service' ? { dns: ['localhost'], ip: ['127.0.0.1'] } : {}
      const leaf = await issueCertificate({
        profile: defaultProfiles[profile],
        issuer,
        subject: { id: parseDeviceId(id), trustDomain: 'fleetroot.local', ...names },
        publicKey,
        serial: newSerial(),
        now: at,
      })
      return {
        privateKey,
        key: exportPrivateKey(privateKey),
        cert: leaf.pem + issuer.certificate.pem,
        certificate: leaf,
        chain: [issuer.certificate],
      }
    },
  }
}

async function issuing(root: Issuer, commonName: string, now: Date): Promise<Issuer> {
  const signer = keySigner(generateKeyPair('P-256').privateKey)
  const { publicKey } = signer
  const serial = newSerial()
  return {
    certificate: await createIssuingCertificate({ issuer: root, publicKey, commonName, serial, now }),
    signer,
  }
}
