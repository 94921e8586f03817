import { defaultProfiles } from '@fleetroot/pki'
import { issueLeaf, makeHierarchy, type TestLeaf } from '@fleetroot/pki/testing'

/** A root and its two issuing CAs. */
export interface Authority {
  readonly trust: readonly string[]
  /** A certificate for `id`, issued at `issuedAt`. */
  issue(id: string, profile: 'device' | 'service' | 'operator', issuedAt?: Date): Promise<TestLeaf>
}

/** Makes an authority that is a year old. */
export async function createAuthority(): Promise<Authority> {
  const { root, devices, services } = await makeHierarchy()
  return {
    trust: [root.certificate.pem],
    issue: (id, profile, issuedAt = new Date()) =>
      issueLeaf(profile === 'device' ? devices : services, {
        id,
        profile: defaultProfiles[profile],
        trustDomain: 'fleetroot.local',
        issuedAt,
        ...(profile === 'service' && { dns: ['localhost'], ip: ['127.0.0.1'] }),
      }),
  }
}
