import type { KeyObject } from 'node:crypto'
import { open } from 'node:fs/promises'
import { importPrivateKey, PkiError } from '@fleetroot/pki'
import type { Context } from '../command/context.ts'
import type { Input } from '../command/input.ts'
import { FleetctlError } from '../error.ts'

/** A private key that was opened, and what opens it. */
export interface OpenedKey {
  readonly privateKey: KeyObject
  readonly passphrase: string
  /** Where the passphrase came from, for messages. */
  readonly passphraseFrom: string
  /** The file as it is: encrypted PKCS#8, PEM. */
  readonly pem: string
}

/**
 * Reads and opens an encrypted key: with `--passphrase-file`, FLEETROOT_CA_PASSPHRASE, `ca/passphrase` of the data
 * directory, or what is typed. Throws `root-key-unusable`, naming the file and the fix: it is readable by others, is
 * not encrypted, or does not open.
 */
export async function openKeyFile(path: string, input: Input, context: Context): Promise<OpenedKey> {
  const pem = await readSecret(path)
  if (!pem.includes('ENCRYPTED PRIVATE KEY')) {
    throw new FleetctlError(
      'root-key-unusable',
      `${path}: is no encrypted PKCS#8 key; give the one that ca export-root wrote`,
    )
  }
  const [passphrase, passphraseFrom] = await passphraseOf(path, input, context)
  return { privateKey: openKey(pem, passphrase, path, passphraseFrom), passphrase, passphraseFrom, pem }
}

/** Opens a key that was read. */
export function openKey(pem: string, passphrase: string, path: string, from: string): KeyObject {
  try {
    return importPrivateKey(pem, passphrase)
  } catch (error) {
    if (!(error instanceof PkiError)) throw error
    const message = `${path} does not open with the passphrase from ${from}: ${error.message}; give the right one with --passphrase-file`
    throw new FleetctlError('root-key-unusable', message, { cause: error })
  }
}

/** The passphrase in a file: its first line. Throws `root-key-unusable` for one that protects nothing. */
export async function readPassphrase(path: string): Promise<string> {
  const [passphrase = ''] = (await readSecret(path)).split(/\r?\n/)
  if (passphrase.length >= 8) return passphrase
  throw new FleetctlError(
    'root-key-unusable',
    `${path}: the passphrase must have at least 8 characters, in one line`,
  )
}

async function passphraseOf(
  path: string,
  input: Input,
  context: Context,
): Promise<[passphrase: string, from: string]> {
  const given = input.text('passphrase-file')
  if (given !== undefined) return [await readPassphrase(given), given]
  const { FLEETROOT_CA_PASSPHRASE: variable } = context.env
  if (variable) return [variable, 'FLEETROOT_CA_PASSPHRASE']
  const own = context.dataFile('ca/passphrase')
  const kept = await readSecret(own).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (kept !== undefined) return [kept.trim(), own]
  const typed = await context.askSecret(`Passphrase of ${path}: `)
  if (typed) return [typed, 'the terminal']
  throw new FleetctlError(
    'root-key-unusable',
    `${path} is encrypted: give its passphrase with --passphrase-file or FLEETROOT_CA_PASSPHRASE`,
  )
}

/** A file that only its owner may read. */
async function readSecret(path: string): Promise<string> {
  const file = await open(path, 'r')
  try {
    const mode = (await file.stat()).mode & 0o777
    if ((mode & 0o077) === 0) return await file.readFile('utf8')
    throw new FleetctlError(
      'root-key-unusable',
      `${path} can be read by others (mode ${mode.toString(8)}): chmod 600 it`,
    )
  } finally {
    await file.close()
  }
}
