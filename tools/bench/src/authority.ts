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

/** A root with one issuing CA, for the peers and for benchmarks that need no enrollment server. */
export interface Authority {
  readonly root: Certificate
  readonly issuer: Issuer
  readonly issuerKeyPem: string
}

/** Makes a root and an issuing CA, both P-256. */
export async function makeAuthority(now: Date): Promise<Authority> {
  const rootSigner = keySigner(generateKeyPair('P-256').privateKey)
  const root = await createRootCertificate({
    signer: rootSigner,
    commonName: 'Bench Root',
    serial: newSerial(),
    now,
  })
  const { publicKey, privateKey } = generateKeyPair('P-256')
  const certificate = await createIssuingCertificate({
    issuer: { certificate: root, signer: rootSigner },
    publicKey,
    commonName: 'Bench CA',
    serial: newSerial(),
    now,
  })
  return {
    root,
    issuer: { certificate, signer: keySigner(privateKey) },
    issuerKeyPem: exportPrivateKey(privateKey),
  }
}

/** A key with its certificate chain as PEM, of the given profile. */
export async function makeIdentity(
  authority: Authority,
  id: string,
  profile: Profile = defaultProfiles.device,
  names: { dns?: string[]; ip?: string[] } = {},
): Promise<{ key: string; cert: string }> {
  const { publicKey, privateKey } = generateKeyPair('P-256')
  const certificate = await issueCertificate({
    profile,
    issuer: authority.issuer,
    subject: { id: parseDeviceId(id), trustDomain: 'bench.example', ...names },
    publicKey,
    serial: newSerial(),
    now: new Date(),
  })
  return { key: exportPrivateKey(privateKey), cert: certificate.pem + authority.issuer.certificate.pem }
}
