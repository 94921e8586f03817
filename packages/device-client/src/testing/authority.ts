import { createPublicKey, type KeyObject } from 'node:crypto'

import {
  type Certificate,
  defaultProfiles,
  exportPrivateKey,
  generateKeyPair,
  type Issuer,
} from '@fleetroot/pki'
import { issueFor, makeHierarchy, makeRoot } from '@fleetroot/pki/testing'

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
  server(options?: LeafOptions & { id?: string; dns?: string[]; ip?: string[] }): Promise<Leaf>
}

const trustDomain = 'fleet.test'

/** Two authorities differ in their keys alone: every name in them is the same. */
export async function createAuthority(): Promise<Authority> {
  const { root, devices, services } = await makeHierarchy()
  return authorityOf(root, devices, services)
}

/** A new root with a new key, made so many milliseconds ago. */
export async function createRoot(agoMs: number): Promise<Issuer> {
  return makeRoot({ commonName: 'Test Root', now: new Date(Date.now() - agoMs) })
}

/** An authority of given CAs. */
export function authorityOf(rootIssuer: Issuer, devices: Issuer, services: Issuer): Authority {
  const root = rootIssuer.certificate

  async function leaf(issuer: Issuer, make: (publicKey: KeyObject) => Promise<Certificate>): Promise<Leaf> {
    const { privateKey } = generateKeyPair('P-256')
    const certificate = await make(createPublicKey(privateKey))
    const cert = certificate.pem + issuer.certificate.pem
    return { key: exportPrivateKey(privateKey), cert, certificate, privateKey }
  }

  const issueDevice: Authority['issueDevice'] = async (id, publicKey, options) =>
    issueFor(devices, { id, trustDomain, ...options, publicKey })

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
    server: async ({ dns = ['localhost'], ip = ['127.0.0.1'], ...options } = {}) => {
      const wish = {
        id: 'enrollment-server',
        profile: defaultProfiles.service,
        trustDomain,
        dns,
        ip,
        ...options,
      }
      return leaf(services, async (publicKey) => issueFor(services, { ...wish, publicKey }))
    },
  }
}
