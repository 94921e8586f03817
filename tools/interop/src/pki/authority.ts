import {
  type Certificate,
  createIssuingCertificate,
  createRootCertificate,
  defaultProfiles,
  generateKeyPair,
  issueCertificate,
  type Issuer,
  type KeyAlgorithm,
  type KeyPair,
  keySigner,
  newSerial,
  parseDeviceId,
  type Signer,
} from '@fleetroot/pki'
import type { KeyObject } from 'node:crypto'

/** A root and an issuing CA with keys of one algorithm. */
export interface Authority {
  readonly root: Certificate
  readonly rootSigner: Signer
  readonly issuer: Issuer
}

/** Makes one; the names are for those who must take it for another, the keys for those who made them before. */
export async function makeAuthority(
  algorithm: KeyAlgorithm,
  {
    names = { root: 'Interop Root', issuer: 'Interop CA' },
    keys = generateKeyPair(algorithm),
  }: {
    names?: { root: string; issuer: string }
    keys?: KeyPair
  } = {},
): Promise<Authority> {
  const now = new Date()
  const signer = keySigner(generateKeyPair(algorithm).privateKey)
  const root = await createRootCertificate({ signer, commonName: names.root, serial: newSerial(), now })
  const { publicKey, privateKey } = keys
  const certificate = await createIssuingCertificate({
    issuer: { certificate: root, signer },
    publicKey,
    commonName: names.issuer,
    serial: newSerial(),
    now,
  })
  return { root, rootSigner: signer, issuer: { certificate, signer: keySigner(privateKey) } }
}

export async function issueLeaf(
  authority: Authority,
  profile: keyof typeof defaultProfiles,
  publicKey: KeyObject,
  names: { dns?: string[]; ip?: string[] } = {},
): Promise<Certificate> {
  return issueCertificate({
    profile: defaultProfiles[profile],
    issuer: authority.issuer,
    subject: { id: parseDeviceId('pump-7'), trustDomain: 'interop.example', ...names },
    publicKey,
    serial: newSerial(),
    now: new Date(),
    urls: { caIssuers: 'http://ca.example/ca.crt' },
  })
}
