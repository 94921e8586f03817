import {
  type Certificate,
  defaultProfiles,
  exportPrivateKey,
  generateKeyPair,
  type Issuer,
  type Profile,
} from '@fleetroot/pki'
import { issueLeaf, makeIssuing, makeRoot } from '@fleetroot/pki/testing'

/** A root with one issuing CA, for the peers and for benchmarks that need no enrollment server. */
export interface Authority {
  readonly root: Certificate
  readonly issuer: Issuer
  readonly issuerKeyPem: string
}

/** Makes a root and an issuing CA, both P-256. */
export async function makeAuthority(now: Date): Promise<Authority> {
  const root = await makeRoot({ commonName: 'Bench Root', now })
  const keys = generateKeyPair('P-256')
  return {
    root: root.certificate,
    issuer: await makeIssuing(root, { commonName: 'Bench CA', keys, now }),
    issuerKeyPem: exportPrivateKey(keys.privateKey),
  }
}

/** A key with its certificate chain as PEM, of the given profile. */
export async function makeIdentity(
  authority: Authority,
  id: string,
  profile: Profile = defaultProfiles.device,
  names: { dns?: string[]; ip?: string[] } = {},
): Promise<{ key: string; cert: string }> {
  return issueLeaf(authority.issuer, { id, profile, trustDomain: 'bench.example', ...names })
}
