import { createPublicKey } from 'node:crypto'
import {
  type Certificate,
  createCrossCertificate,
  createIssuingCertificate,
  createRootCertificate,
  formatName,
  type Issuer,
  keySigner,
  newSerial,
  publicKeyFingerprint,
} from '@fleetroot/pki'
import type { Refusal } from '../problem/refusal.ts'
import { kindOf, type IssuerKind } from './ca-id.ts'
import type { CaFiles } from './ca-files.ts'
import { type Changed, introduced, nextId, refuseRotation, type Wish } from './generation.ts'
import type { Hierarchy } from './hierarchy-record.ts'
import { commonNameOf } from './names.ts'
import { openRootKey } from './root-key.ts'
import { isTrusted, type TrustedMember } from './verify.ts'

/** A wish for a new CA, and how long it is to be known before it issues. */
export type Introduction = Wish & { readonly introduceForMs: number }

/** Makes an issuing CA that the roots on this machine sign: the current one, and one that is introduced. */
export async function succeedIssuing(
  kind: IssuerKind,
  hierarchy: Hierarchy,
  files: CaFiles,
  wish: Introduction,
): Promise<Changed> {
  const refusal = refuseRotation(kind, hierarchy)
  if (refusal) return { ok: false, ...refusal }
  const roots: Issuer[] = []
  for (const root of rootsToSignWith(hierarchy)) {
    const opened = await openRootKey(root, files)
    if (!opened.ok) return opened
    roots.push(opened)
  }
  const expired = refuseExpired(
    roots.map(({ certificate }) => certificate),
    wish,
  )
  if (expired) return { ok: false, ...expired }
  const id = nextId(kind, hierarchy)
  const publicKey = createPublicKey(await files.openOrMakeKey(id))
  const certificates: Certificate[] = []
  for (const issuer of roots) {
    const now = new Date(wish.atMs)
    const commonName = commonNameOf(id)
    certificates.push(
      await createIssuingCertificate({ issuer, publicKey, commonName, serial: newSerial(), now }),
    )
  }
  const [certificate, ...cross] = certificates
  if (!certificate) throw new Error('a hierarchy without a current root was opened')
  return introduced({ id, publicKey: publicKeyFingerprint(publicKey), certificate, cross }, hierarchy, wish)
}

/**
 * Makes a root beside the current one, whose key must be here: they certify each other, and the new one certifies every
 * issuing CA again, whose keys stay, so that what they issued is valid below both.
 */
export async function succeedRoot(
  hierarchy: Hierarchy,
  files: CaFiles,
  wish: Introduction,
): Promise<Changed> {
  const refusal = refuseRotation('root', hierarchy)
  if (refusal) return { ok: false, ...refusal }
  const trusted = hierarchy.members.filter(isTrusted)
  const expired = refuseExpired(
    trusted.map(({ certificate }) => certificate),
    wish,
  )
  if (expired) return { ok: false, ...expired }
  const [current] = rootsToSignWith(hierarchy)
  if (!current) throw new Error('a hierarchy without a current root was opened')
  const old = await openRootKey(current, files)
  if (!old.ok) return old

  const now = new Date(wish.atMs)
  const id = nextId('root', hierarchy)
  const signer = keySigner(await files.openOrMakeKey(id))
  const commonName = commonNameOf(id)
  const certificate = await createRootCertificate({ signer, commonName, serial: newSerial(), now })
  const certify = (issuer: Issuer, subject: Certificate) =>
    createCrossCertificate({ issuer, subject, serial: newSerial(), now })
  const newWithOld = await certify(old, certificate)
  const recertified: Certificate[] = []
  for (const one of trusted) recertified.push(await certify({ certificate, signer }, one.certificate))
  const { publicKeyFingerprint: publicKey } = certificate
  return introduced({ id, publicKey, certificate, cross: [newWithOld] }, hierarchy, { ...wish, recertified })
}

/** The current root, and the one that is to follow it, which would not know a new CA otherwise. */
function rootsToSignWith({ members }: Hierarchy): TrustedMember[] {
  const roots = members.filter(isTrusted).filter(({ id }) => kindOf(id) === 'root')
  return [
    ...roots.filter(({ state }) => state === 'issuing'),
    ...roots.filter(({ state }) => state === 'introduced'),
  ]
}

function refuseExpired(certificates: readonly Certificate[], { atMs }: Wish): Refusal | undefined {
  const expired = certificates.find(({ notAfter }) => notAfter.getTime() <= atMs)
  if (!expired) return undefined
  const when = expired.notAfter.toISOString()
  return {
    code: 'authority-state',
    detail: `kind: ${formatName(expired.subject)} expired at ${when}; retire it first`,
  }
}
