import { defaultProfiles } from '@fleetroot/pki'
import type { Certificate, Issuer, Profile } from '@fleetroot/pki'
import { issueLeaf, makeHierarchy } from '@fleetroot/pki/testing'
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

const trustDomain = 'fleet.example'

/** Fleets have the same names in every certificate; two of them differ in their keys alone. */
export async function createFleet(): Promise<Fleet> {
  const { root, devices, services } = await makeHierarchy()

  async function issue(
    { id = 'dev-1', profile = defaultProfiles.device, issuer, at = new Date() }: LeafRequest = {},
    names: { dns?: string[]; ip?: string[] } = {},
  ): Promise<Leaf> {
    const issuing = issuer ?? (profile.issuer === 'devices' ? devices : services)
    return issueLeaf(issuing, { id, profile, trustDomain, issuedAt: at, ...names })
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
      trustDomain,
      now,
    }),
  }
}
