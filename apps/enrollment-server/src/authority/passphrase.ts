import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { open } from 'node:fs/promises'
import type { DataDirectory } from '@fleetroot/service'
import { AuthorityError } from './authority-error.ts'
import { readKeptFile } from './kept-file.ts'

const file = 'ca/passphrase'

/** Where the operator says that the passphrase is: in a variable or in a file, or nowhere. */
export interface GivenPassphrase {
  readonly passphrase?: string | undefined
  readonly passphraseFile?: string | undefined
}

/**
 * The passphrase of the CA keys: the one that was given, else the one in `ca/passphrase`, else a new one of
 * 256 bits which is written there. A generated one beside the keys protects copies of the keys alone; give
 * your own to protect the disk as well.
 *
 * @throws {AuthorityError} `passphrase-unusable` when it is given twice, too short, or in a file that everybody may read
 */
export async function openPassphrase(
  data: DataDirectory,
  given: GivenPassphrase,
  made: (file: string) => void,
): Promise<string> {
  if (given.passphraseFile !== undefined) {
    if (given.passphrase === undefined) return readGivenFile(given.passphraseFile)
    throw unusable('FLEETROOT_CA_PASSPHRASE and --ca-passphrase-file are both given; leave out one of them')
  }
  if (given.passphrase !== undefined) return given.passphrase
  if (existsSync(data.file(file))) {
    return readKeptFile(data.file(file), (text) => text.trim(), {
      damaged: 'restore it from a backup',
      secret: true,
    })
  }
  const passphrase = randomBytes(32).toString('base64url')
  await data.write(file, `${passphrase}\n`)
  made(file)
  return passphrase
}

/** Its group may read it: that is how systemd hands out credentials, and how root gives a file to a service. */
async function readGivenFile(path: string): Promise<string> {
  await using handle = await open(path, 'r')
  const mode = (await handle.stat()).mode & 0o777
  if ((mode & 0o027) !== 0) {
    throw unusable(
      `${path} can be read or written by others (mode ${mode.toString(8)}); run: chmod 640 ${path}`,
    )
  }
  const [passphrase = ''] = (await handle.readFile('utf8')).split(/\r?\n/)
  if (passphrase.length >= 8) return passphrase
  throw unusable(`${path}: the passphrase must have at least 8 characters, in one line`)
}

function unusable(message: string): AuthorityError {
  return new AuthorityError('passphrase-unusable', message)
}
