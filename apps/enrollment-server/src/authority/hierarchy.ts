import { createPublicKey } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import {
  type Certificate,
  createIssuingCertificate,
  createRootCertificate,
  isIssuedBy,
  type Issuer,
  type KeyAlgorithm,
  keySigner,
  newSerial,
} from '@fleetroot/pki'
import { type DataDirectory, makeDirectory } from '@fleetroot/service'
import { AuthorityError } from './authority-error.ts'
import type { Authority, IssuerName, IssuingAuthority } from './authority.ts'
import { type CaFiles, caFiles, isKeyOf } from './ca-files.ts'
import { openPassphrase } from './passphrase.ts'

const issuerNames = ['devices', 'services'] as const
const commonNames = {
  root: 'Fleetroot Root CA',
  devices: 'Fleetroot Devices CA',
  services: 'Fleetroot Services CA',
} as const

/**
 * Opens the hierarchy in the data directory and makes what is missing: root, then the issuing CAs Devices and
 * Services. Every file is written as a whole and a key before its certificate, so that a kill at any point
 * leaves something that the next start completes. Once both issuing certificates exist the key of the root is
 * not opened any more and may be taken off the machine. The caller holds the lock of the data directory.
 *
 * @throws {AuthorityError} when files are gone, do not open or do not belong together
 */
export async function openHierarchy(
  data: DataDirectory,
  options: {
    passphrase?: string | undefined
    algorithm: KeyAlgorithm
    now: Date
    made: (file: string) => void
  },
): Promise<Authority> {
  const { algorithm, now, made } = options
  const passphrase = await openPassphrase(data, options.passphrase, made)
  const files = caFiles(data, { passphrase, algorithm, made })

  const missing = issuerNames.filter((name) => !files.hasCertificate(name))
  if (missing.length > 0) {
    const root = await openRoot(files, now)
    for (const name of missing) {
      const certificate = await createIssuingCertificate({
        issuer: root,
        publicKey: createPublicKey(await files.openOrMakeKey(name)),
        commonName: commonNames[name],
        serial: newSerial(),
        now,
      })
      await files.writeCertificate(name, certificate)
    }
  }

  const root = await files.readCertificate('root')
  const issuers = {
    devices: await openIssuer(files, root, 'devices'),
    services: await openIssuer(files, root, 'services'),
  }
  await publishRoot(data, root, made)
  const { devices, services } = issuers
  const keys = new Set([root, devices.certificate, services.certificate].map((ca) => ca.publicKeyFingerprint))
  return { root, issuers, keys }
}

async function openRoot(files: CaFiles, now: Date): Promise<Issuer> {
  if (files.hasCertificate('root')) {
    const certificate = await files.readCertificate('root')
    const key = await files.openKey('root')
    if (!isKeyOf(certificate, key)) throw mismatch('ca/root.key', 'ca/root.crt')
    return { certificate, signer: keySigner(key) }
  }
  if (issuerNames.some((name) => files.hasCertificate(name))) {
    throw new AuthorityError(
      'file-missing',
      'ca/root.crt is missing beside issuing CAs that it signed: restore it from a backup or from public/root.crt',
    )
  }
  const signer = keySigner(await files.openOrMakeKey('root'))
  const certificate = await createRootCertificate({
    signer,
    commonName: commonNames.root,
    serial: newSerial(),
    now,
  })
  await files.writeCertificate('root', certificate)
  return { certificate, signer }
}

async function openIssuer(files: CaFiles, root: Certificate, name: IssuerName): Promise<IssuingAuthority> {
  const certificate = await files.readCertificate(name)
  const privateKey = await files.openKey(name)
  if (!isKeyOf(certificate, privateKey)) throw mismatch(`ca/${name}.key`, `ca/${name}.crt`)
  // The signature, not only the name: a foreign root may have the same subject.
  if (!isIssuedBy(certificate, root)) throw mismatch(`ca/${name}.crt`, 'ca/root.crt')
  return { certificate, privateKey }
}

/** The trust anchor for everybody, in the one place that others may read. */
async function publishRoot(
  data: DataDirectory,
  root: Certificate,
  made: (file: string) => void,
): Promise<void> {
  const path = 'public/root.crt'
  const published = await readFile(data.file(path), 'utf8').catch(() => undefined)
  if (published === root.pem) return
  await makeDirectory(data.file('public'), 0o755)
  await data.write(path, root.pem, 0o644)
  made(path)
}

function mismatch(one: string, other: string): AuthorityError {
  return new AuthorityError(
    'mismatch',
    `${one} does not belong to ${other}: restore both from the same backup`,
  )
}
