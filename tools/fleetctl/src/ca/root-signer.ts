import { createPublicKey } from 'node:crypto'
import { type Certificate, type Issuer, isIssuedBy, keySigner, publicKeyFingerprint } from '@fleetroot/pki'
import type { Context } from '../command/context.ts'
import type { Input } from '../command/input.ts'
import { FleetctlError } from '../error.ts'
import { type Authority, certificateOf } from './authority.ts'
import { type OpenedKey, openKeyFile } from './key-file.ts'

/** A root whose key is here. */
export interface RootSigner {
  readonly authority: Authority
  readonly issuer: Issuer
  readonly key: OpenedKey
}

/**
 * Opens the key files of `--root-key` and finds the root of each among those that are trusted. Throws
 * `root-key-unusable` for the key of something else.
 */
export async function openRootSigners(
  input: Input,
  context: Context,
  authorities: readonly Authority[],
): Promise<RootSigner[]> {
  const roots = authorities
    .filter(({ kind }) => kind === 'root')
    .map((authority) => ({ authority, certificate: certificateOf(authority) }))
  const signers: RootSigner[] = []
  for (const path of input.texts('root-key')) {
    const key = await openKeyFile(path, input, context)
    const fingerprint = publicKeyFingerprint(createPublicKey(key.privateKey))
    const found = roots.find(({ certificate }) => certificate.publicKeyFingerprint === fingerprint)
    // A root that did not sign itself is none, whatever the server calls it.
    if (!found || !isIssuedBy(found.certificate, found.certificate)) {
      const known = roots.map(({ authority }) => authority.id).join(', ')
      throw new FleetctlError(
        'root-key-unusable',
        `${path}: is the key of no root that is trusted here (${known})`,
      )
    }
    const { authority, certificate } = found
    signers.push({ authority, key, issuer: { certificate, signer: keySigner(key.privateKey) } })
  }
  return signers
}

/** The fingerprint of a key as people compare it. */
export function showFingerprint({
  publicKeyFingerprint: hex,
}: Pick<Certificate, 'publicKeyFingerprint'>): string {
  return `SHA-256 ${hex.slice(0, 32)}…`
}
