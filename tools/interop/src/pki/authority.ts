import {
  type Certificate,
  defaultProfiles,
  generateKeyPair,
  type Issuer,
  type KeyAlgorithm,
  type KeyPair,
  type Signer,
} from '@fleetroot/pki'
import { issueFor, makeIssuing, makeRoot, testKeyPair } from '@fleetroot/pki/testing'
import type { KeyObject } from 'node:crypto'

/** A root and an issuing CA with keys of one algorithm. */
export interface Authority {
  readonly root: Certificate
  readonly rootSigner: Signer
  readonly issuer: Issuer
}

/** Keys of an algorithm; those of RSA, which take seconds, are made once for each role. */
export function keysOf(algorithm: KeyAlgorithm, role: 'root' | 'issuer' | 'leaf'): KeyPair {
  return algorithm.startsWith('RSA') ? testKeyPair(algorithm, role) : generateKeyPair(algorithm)
}

/** Makes one; the names are for those who must take it for another, the keys for those who made them before. */
export async function makeAuthority(
  algorithm: KeyAlgorithm,
  {
    names = { root: 'Interop Root', issuer: 'Interop CA' },
    keys = keysOf(algorithm, 'issuer'),
  }: {
    names?: { root: string; issuer: string }
    keys?: KeyPair
  } = {},
): Promise<Authority> {
  const now = new Date()
  const root = await makeRoot({ commonName: names.root, keys: keysOf(algorithm, 'root'), now })
  const issuer = await makeIssuing(root, { commonName: names.issuer, keys, now })
  return { root: root.certificate, rootSigner: root.signer, issuer }
}

export async function issueLeaf(
  authority: Authority,
  profile: keyof typeof defaultProfiles,
  publicKey: KeyObject,
  names: { dns?: string[]; ip?: string[] } = {},
): Promise<Certificate> {
  return issueFor(authority.issuer, {
    id: 'pump-7',
    profile: defaultProfiles[profile],
    trustDomain: 'interop.example',
    publicKey,
    urls: { caIssuers: 'http://ca.example/ca.crt' },
    ...names,
  })
}
