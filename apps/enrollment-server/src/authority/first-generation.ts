import { createPublicKey } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import {
  type Certificate,
  createIssuingCertificate,
  createRootCertificate,
  isIssuedBy,
  type Issuer,
  keySigner,
  newSerial,
} from '@fleetroot/pki'
import type { DataDirectory } from '@fleetroot/service'
import { AuthorityError } from './authority-error.ts'
import { generationOf, isCaId, issuerKinds } from './ca-id.ts'
import { type CaFiles, isKeyOf } from './ca-files.ts'
import type { Hierarchy, Member } from './hierarchy-record.ts'
import { commonNameOf } from './names.ts'

/**
 * Makes what is missing of the first generation, root, then the issuing CAs Devices and Services, and resolves to its
 * hierarchy; takes one over that is complete. Every file is written as a whole and a key before its certificate, so that
 * a kill at any point leaves something that the next start completes. Once both issuing certificates exist the key of the
 * root is not opened any more and may be taken off the machine.
 *
 * @throws {AuthorityError} when files are gone, do not open or do not belong together
 */
export async function openFirstGeneration(
  data: DataDirectory,
  files: CaFiles,
  now: Date,
): Promise<Hierarchy> {
  await refuseLaterOnes(data)
  const missing = issuerKinds.filter((id) => !files.hasCertificate(id))
  if (missing.length > 0) {
    const root = await openRoot(files, now)
    for (const id of missing) {
      const certificate = await createIssuingCertificate({
        issuer: root,
        publicKey: createPublicKey(await files.openOrMakeKey(id)),
        commonName: commonNameOf(id),
        serial: newSerial(),
        now,
      })
      await files.writeCertificate(id, certificate)
    }
  }
  const root = await files.readCertificate('root')
  const members = [memberOf('root', root)]
  for (const id of issuerKinds) {
    const certificate = await files.readCertificate(id)
    // The signature, not only the name: a foreign root may have the same subject.
    if (!isIssuedBy(certificate, root)) throw mismatch(`ca/${id}.crt`, 'ca/root.crt')
    members.push(memberOf(id, certificate))
  }
  return { revision: 1, members, changes: [] }
}

function memberOf(id: Member['id'], certificate: Certificate): Member {
  const publicKey = certificate.publicKeyFingerprint
  return {
    id,
    state: 'issuing',
    publicKey,
    certificate,
    cross: [],
    introducedAtMs: certificate.notBefore.getTime(),
  }
}

/** Without the file that lists them, CAs of a later generation are not to be forgotten, or made up. */
async function refuseLaterOnes(data: DataDirectory): Promise<void> {
  const names = await readdir(data.file('ca')).catch(() => [])
  const later = names.find((name) => {
    const id = name.replace(/\.(?:crt|key)$/, '')
    return isCaId(id) && generationOf(id) > 1
  })
  if (later === undefined) return
  throw new AuthorityError(
    'file-missing',
    `ca/authorities.json is missing beside ca/${later}: restore ca/ from a backup, all of it`,
  )
}

async function openRoot(files: CaFiles, now: Date): Promise<Issuer> {
  if (files.hasCertificate('root')) {
    const certificate = await files.readCertificate('root')
    const key = await files.openKey('root')
    if (!isKeyOf(certificate, key)) throw mismatch('ca/root.key', 'ca/root.crt')
    return { certificate, signer: keySigner(key) }
  }
  if (issuerKinds.some((id) => files.hasCertificate(id))) {
    throw new AuthorityError(
      'file-missing',
      'ca/root.crt is missing beside issuing CAs that it signed: restore it from a backup or from public/root.crt',
    )
  }
  const signer = keySigner(await files.openOrMakeKey('root'))
  const commonName = commonNameOf('root')
  const certificate = await createRootCertificate({ signer, commonName, serial: newSerial(), now })
  await files.writeCertificate('root', certificate)
  return { certificate, signer }
}

/** Two files that were put together from different places. */
export function mismatch(one: string, other: string): AuthorityError {
  return new AuthorityError(
    'mismatch',
    `${one} does not belong to ${other}: restore both from the same backup`,
  )
}
