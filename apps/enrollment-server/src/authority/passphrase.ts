import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import type { DataDirectory } from '@fleetroot/service'
import { readKeptFile } from './kept-file.ts'

const file = 'ca/passphrase'

/**
 * The passphrase of the CA keys: the one that was given, else the one in `ca/passphrase`, else a new one of
 * 256 bits which is written there. A generated one beside the keys protects copies of the keys alone; give
 * your own to protect the disk as well.
 */
export async function openPassphrase(
  data: DataDirectory,
  given: string | undefined,
  made: (file: string) => void,
): Promise<string> {
  if (given !== undefined) return given
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
