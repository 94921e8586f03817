import { createPublicKey, type KeyObject, randomBytes, sign, verify } from 'node:crypto'
import { existsSync } from 'node:fs'
import { open, readFile, realpath, rm } from 'node:fs/promises'
import { dirname, isAbsolute, join, relative, resolve } from 'node:path'
import { type Certificate, exportPrivateKey, parseCertificate, publicKeyFingerprint } from '@fleetroot/pki'
import { makeDirectory } from '@fleetroot/service'
import type { Run } from '../command/command.ts'
import type { Context } from '../command/context.ts'
import { FleetctlError, usageError } from '../error.ts'
import { authorityIdOf } from './authority.ts'
import { openKey, openKeyFile, readPassphrase } from './key-file.ts'
import { writeNew } from '../file/write-new.ts'

export const exportRoot: Run = async (input, context) => {
  const [directoryGiven = '', idGiven] = input.args
  const id = idGiven === undefined ? await currentRootId(context) : rootIdOf(idGiven)
  const keyFile = context.dataFile(`ca/${id}.key`)
  const certificateFile = context.dataFile(`ca/${id}.crt`)
  if (!existsSync(keyFile)) throw absent(keyFile, id, context)
  const key = await openKeyFile(keyFile, input, context)
  const certificate = parseCertificate(await readFile(certificateFile, 'utf8'))
  checkPair(key.privateKey, certificate, keyFile)

  const newFile = input.text('new-passphrase-file')
  const passphrase = newFile === undefined ? key.passphrase : await readPassphrase(newFile)
  const from = newFile ?? key.passphraseFrom
  const directory = await makeDirectory(resolve(directoryGiven))
  const copy = join(directory, `${id}.key`)
  const certificateCopy = join(directory, `${id}.crt`)
  if (input.on('remove')) {
    await checkElsewhere(directory, context)
    await context.confirm(
      `Take ${keyFile} off this machine, once the copy ${copy} opens with the passphrase from ${from}.`,
    )
  }
  await writeNew(copy, newFile === undefined ? key.pem : exportPrivateKey(key.privateKey, passphrase))
  await writeNew(certificateCopy, certificate.pem)

  // What is on the disk, not what was meant to be there.
  const written = openKey(await readFile(copy, 'utf8'), passphrase, copy, from)
  checkPair(written, parseCertificate(await readFile(certificateCopy, 'utf8')), copy)
  if (input.on('remove')) await remove(keyFile)
  const removed = input.on('remove')
  return {
    kind: 'fields',
    json: { id, key: copy, certificate: certificateCopy, passphraseFrom: from, removed },
    fields: [
      ['id', id],
      ['key', copy],
      ['certificate', certificateCopy],
      ['opens with', from],
      ['verified', 'the copy opens, and its key is that of the certificate'],
      ['removed', removed ? keyFile : undefined],
    ],
    ...(newFile === undefined && { note: `keep ${from} too, apart from the copy: nothing else opens it` }),
  }
}

/** The root that signs now: the one that `ca/authorities.json` calls issuing, or the only one there ever was. */
async function currentRootId(context: Context): Promise<string> {
  const file = context.dataFile('ca/authorities.json')
  if (!existsSync(file)) return 'root'
  const { members } = JSON.parse(await readFile(file, 'utf8')) as { members: { id: string; state: string }[] }
  const current = members.find(({ id, state }) => /^root(-\d+)?$/.test(id) && state === 'issuing')
  return rootIdOf(current?.id ?? 'root')
}

function rootIdOf(text: string): string {
  const id = authorityIdOf(text)
  if (id.startsWith('root')) return id
  throw usageError(`ID: ${id} is an issuing CA, whose key the server needs; only roots can be kept elsewhere`)
}

function absent(keyFile: string, id: string, context: Context): FleetctlError {
  const why = existsSync(context.dataFile('ca'))
    ? `the key of ${id} was taken off this machine before, or is called otherwise`
    : 'this is no data directory of an enrollment server; name it with --data or FLEETROOT_DATA'
  return new FleetctlError('root-key-unusable', `${keyFile} is not here: ${why}`)
}

/** Proves by a signature that a key is the one of a certificate. */
function checkPair(privateKey: KeyObject, certificate: Certificate, file: string): void {
  const isSame = publicKeyFingerprint(createPublicKey(privateKey)) === certificate.publicKeyFingerprint
  const challenge = randomBytes(32)
  const digest = privateKey.asymmetricKeyType === 'ed25519' ? null : 'sha256'
  const signature = sign(digest, challenge, privateKey)
  if (isSame && verify(digest, challenge, certificate.publicKey, signature)) return
  throw new FleetctlError(
    'root-key-unusable',
    `${file} is not the key of its certificate: restore both from the same backup`,
  )
}

/** A key that is "removed" into its own data directory is still on the machine. */
async function checkElsewhere(directory: string, context: Context): Promise<void> {
  const inside = relative(await realpath(context.dataFile('.')), await realpath(directory))
  // `..backup` is a name; `..` and `../` lead out, and so does another drive.
  if (!isAbsolute(inside) && !/^\.\.(?:[/\\]|$)/.test(inside)) {
    throw usageError(
      `DIR: ${directory} is inside of the data directory; with --remove the copy must be elsewhere`,
    )
  }
}

async function remove(path: string): Promise<void> {
  await rm(path)
  // Without it a power cut could bring the file back.
  const directory = await open(dirname(path), 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
