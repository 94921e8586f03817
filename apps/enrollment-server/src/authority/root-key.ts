import { type Certificate, type Issuer, keySigner } from '@fleetroot/pki'
import type { Refusal } from '../problem/refusal.ts'
import { AuthorityError } from './authority-error.ts'
import type { CaId } from './ca-id.ts'
import { type CaFiles, isKeyOf } from './ca-files.ts'

/** A root with its key, or why it cannot be used here. */
export type OpenedRoot = ({ readonly ok: true } & Issuer) | ({ readonly ok: false } & Refusal)

/** Opens the key of a root for one rotation. It is not kept, and need not be on this machine at any other time. */
export async function openRootKey(
  { id, certificate }: { readonly id: CaId; readonly certificate: Certificate },
  files: CaFiles,
): Promise<OpenedRoot> {
  try {
    const privateKey = await files.openKey(id)
    if (isKeyOf(certificate, privateKey)) return { ok: true, certificate, signer: keySigner(privateKey) }
  } catch (error) {
    if (!(error instanceof AuthorityError)) throw error
    if (error.code !== 'file-missing' && error.code !== 'passphrase-wrong') throw error
  }
  return {
    ok: false,
    code: 'root-key-absent',
    detail: `kind: the key of ${id} cannot be used here; sign where it is: fleetctl ca rotate --root-key FILE`,
  }
}
