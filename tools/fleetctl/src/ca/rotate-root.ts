import { join } from 'node:path'
import {
  type Certificate,
  createCrossCertificate,
  createRootCertificate,
  exportPrivateKey,
  formatName,
  generateKeyPairAsync,
  type Issuer,
  isIssuedBy,
  keyAlgorithm,
  keySigner,
  newSerial,
} from '@fleetroot/pki'
import { makeDirectory } from '@fleetroot/service'
import type { Run } from '../command/command.ts'
import type { Input } from '../command/input.ts'
import { secondsOf } from '../command/values.ts'
import { FleetctlError, usageError } from '../error.ts'
import { type Authority, authorityAnswer, certificateOf, readAuthorities } from './authority.ts'
import { readPassphrase } from './key-file.ts'
import { openRootSigners, type RootSigner, showFingerprint } from './root-signer.ts'
import { writeNew } from '../file/write-new.ts'

export const rotateRoot: Run = async (input, context) => {
  const introduceForSeconds = await secondsOf(input, 'introduce-for')
  const introduction = introduceForSeconds === undefined ? {} : { introduceForSeconds }
  const what = 'cannot rotate the root'
  if (input.texts('root-key').length === 0) {
    await context.confirm('Introduce a new root.')
    const server = await context.server()
    const body = { kind: 'root', ...introduction }
    return authorityAnswer(
      await server.call<Authority>(what, { method: 'POST', path: '/v1/ca/rotations', body, once: true }),
    )
  }

  const directory = outOf(input)
  const server = await context.server()
  const { authorities } = await readAuthorities(server)
  const old = currentRoot(await openRootSigners(input, context, authorities))
  const passphrase = await passphraseFor(input, old)
  const now = context.now()
  const { privateKey } = await generateKeyPairAsync(keyAlgorithm(old.key.privateKey))
  const signer = keySigner(privateKey)
  const commonName = nextName(authorities)
  const root = await createRootCertificate({ signer, commonName, serial: newSerial(), now })
  await context.confirm(
    `Introduce ${commonName} (key ${showFingerprint(root)}), certified by ${old.authority.id}; its key will be in ${directory}.`,
  )

  // Kept before anybody can know of it: a root that is introduced and whose key is lost cannot be undone quietly.
  await makeDirectory(directory)
  const files = [join(directory, 'root.key'), join(directory, 'root.crt')] as const
  await writeNew(files[0], exportPrivateKey(privateKey, passphrase))
  await writeNew(files[1], root.pem)
  const certificates = await certifyEachOther(old.issuer, { certificate: root, signer }, authorities, now)
  const introduced = await server.call<Authority>(what, {
    method: 'POST',
    path: '/v1/ca/roots',
    body: { certificates: certificates.map(({ pem }) => pem), ...introduction },
  })
  return authorityAnswer(introduced, { files })
}

/** The new root, itself by the old one, and by it the old one and every issuing CA (RFC 4210, section 4.4). */
async function certifyEachOther(
  old: Issuer,
  next: Issuer,
  authorities: readonly Authority[],
  now: Date,
): Promise<Certificate[]> {
  const certify = (issuer: Issuer, subject: Certificate) =>
    createCrossCertificate({ issuer, subject, serial: newSerial(), now })
  const below = authorities.filter(({ kind }) => kind !== 'root').map(certificateOf)
  // The new root certifies nothing that the old one had not.
  const stranger = below.find((certificate) => !isIssuedBy(certificate, old.certificate))
  if (stranger) {
    const message = `${formatName(stranger.subject)} is not signed by the current root: not certified`
    throw new FleetctlError('root-key-unusable', message)
  }
  const all = [next.certificate, await certify(old, next.certificate)]
  for (const subject of [old.certificate, ...below]) all.push(await certify(next, subject))
  return all
}

function currentRoot(signers: readonly RootSigner[]): RootSigner {
  const current = signers.find(({ authority }) => authority.state === 'issuing')
  if (current) return current
  throw new FleetctlError(
    'root-key-unusable',
    '--root-key: a new root must be certified by the current one; give its key',
  )
}

function outOf(input: Input): string {
  const directory = input.text('out')
  if (directory !== undefined) return directory
  throw usageError('--out is missing: the directory for the key of the new root, which is made here')
}

async function passphraseFor(input: Input, old: RootSigner): Promise<string> {
  const path = input.text('new-passphrase-file')
  return path === undefined ? old.key.passphrase : readPassphrase(path)
}

/** Each root has a name of its own: some verifiers try only one key for a name. */
function nextName(authorities: readonly Authority[]): string {
  const roots = authorities.filter(({ kind }) => kind === 'root')
  const generations = roots.map(({ id }) => Number(id.split('-')[1] ?? 1))
  return `Fleetroot Root CA ${Math.max(1, ...generations) + 1}`
}
