import { open } from 'node:fs/promises'
import { PkiError } from '@fleetroot/pki'
import { AuthorityError } from './authority-error.ts'

/** What to do about a file that cannot be used, as the end of a sentence. */
export interface Remedies {
  /** For a file whose content is not what it should be. */
  readonly damaged: string
  /** The file is a secret: it must be readable by its owner alone. */
  readonly secret?: boolean
}

/**
 * Reads a file of the data directory and parses it.
 *
 * @throws {AuthorityError} `file-exposed` for a secret that others can read, `file-damaged` when `parse` throws a
 *   PkiError; both name the file and the fix
 */
export async function readKeptFile<Parsed>(
  path: string,
  parse: (text: string) => Parsed,
  { damaged, secret = false }: Remedies,
): Promise<Parsed> {
  const file = await open(path, 'r')
  let text: string
  try {
    const mode = (await file.stat()).mode & 0o777
    if (secret && (mode & 0o077) !== 0) {
      throw new AuthorityError(
        'file-exposed',
        `${path} can be read by others (mode ${mode.toString(8)}): chmod 600 it, and replace the key if somebody may have`,
      )
    }
    text = await file.readFile('utf8')
  } finally {
    await file.close()
  }
  try {
    return parse(text)
  } catch (error) {
    if (!(error instanceof PkiError)) throw error
    throw new AuthorityError('file-damaged', `${path} is damaged (${error.message}): ${damaged}`, {
      cause: error,
    })
  }
}
