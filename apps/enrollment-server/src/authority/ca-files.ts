import { createPublicKey, type KeyObject } from 'node:crypto'
import { existsSync } from 'node:fs'
import {
  type Certificate,
  exportPrivateKey,
  fromPem,
  generateKeyPairAsync,
  importPrivateKey,
  type KeyAlgorithm,
  parseCertificate,
  PkiError,
  publicKeyFingerprint,
} from '@fleetroot/pki'
import type { DataDirectory } from '@fleetroot/service'
import { AuthorityError } from './authority-error.ts'
import type { CaId } from './ca-id.ts'
import { readKeptFile } from './kept-file.ts'

/**
 * `ca/<id>.key` and `ca/<id>.crt`. A key is written before its certificate, so a certificate has its key. From the first
 * generation on certificates are copies of those in `ca/authorities.json`, for people and programs to read.
 */
export interface CaFiles {
  hasCertificate(id: CaId): boolean
  /** The key of a CA: opened if there is one, otherwise made and written first. */
  openOrMakeKey(id: CaId): Promise<KeyObject>
  /** The key of a CA that exists. */
  openKey(id: CaId): Promise<KeyObject>
  readCertificate(id: CaId): Promise<Certificate>
  writeCertificate(id: CaId, certificate: Certificate): Promise<void>
}

/**
 * The files of the hierarchy in a data directory. Keys are encrypted PKCS#8 under one passphrase.
 * @param made is told every file that is written
 * @throws {AuthorityError} from its functions, naming the file and the fix
 */
export function caFiles(
  data: DataDirectory,
  options: { passphrase: string; algorithm: KeyAlgorithm; made: (file: string) => void },
): CaFiles {
  const { passphrase, algorithm, made } = options
  const keyFile = (id: CaId): string => `ca/${id}.key`
  const certificateFile = (id: CaId): string => `ca/${id}.crt`
  const has = (path: string): boolean => existsSync(data.file(path))

  const openKey = async (id: CaId): Promise<KeyObject> => {
    const path = data.file(keyFile(id))
    if (!existsSync(path)) {
      throw new AuthorityError(
        'file-missing',
        `${path} is missing: restore it from a backup; without it this CA cannot sign`,
      )
    }
    const encrypted = await readKeptFile(path, onePemBlock, { ...restored, secret: true })
    try {
      return importPrivateKey(encrypted, passphrase)
    } catch (error) {
      if (!(error instanceof PkiError)) throw error
      throw new AuthorityError(
        'passphrase-wrong',
        `${path} does not open: ${error.message}; give its passphrase in FLEETROOT_CA_PASSPHRASE, --ca-passphrase-file or ${data.file('ca/passphrase')}`,
        { cause: error },
      )
    }
  }

  return {
    hasCertificate: (id) => has(certificateFile(id)),
    openKey,
    openOrMakeKey: async (id) => {
      if (has(keyFile(id))) return openKey(id)
      const { privateKey } = await generateKeyPairAsync(algorithm)
      await data.write(keyFile(id), exportPrivateKey(privateKey, passphrase))
      made(keyFile(id))
      return privateKey
    },
    readCertificate: (id) => readKeptFile(data.file(certificateFile(id)), parseCertificate, restored),
    writeCertificate: async (id, certificate) => {
      await data.write(certificateFile(id), certificate.pem)
      made(certificateFile(id))
    },
  }
}

const restored = { damaged: 'restore it from a backup' }

/** A text that is PEM at all; whether the key in it opens is a question of the passphrase. */
function onePemBlock(text: string): string {
  fromPem(text)
  return text
}

/** True if the private key is the one of the certificate. */
export function isKeyOf(certificate: Certificate, privateKey: KeyObject): boolean {
  return publicKeyFingerprint(createPublicKey(privateKey)) === certificate.publicKeyFingerprint
}
