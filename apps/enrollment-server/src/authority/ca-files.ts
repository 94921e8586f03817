import { createPublicKey, type KeyObject } from 'node:crypto'
import { existsSync } from 'node:fs'
import {
  type Certificate,
  exportPrivateKey,
  fromPem,
  generateKeyPair,
  importPrivateKey,
  type KeyAlgorithm,
  parseCertificate,
  PkiError,
  publicKeyFingerprint,
} from '@fleetroot/pki'
import type { DataDirectory } from '@fleetroot/service'
import { AuthorityError } from './authority-error.ts'
import { readKeptFile } from './kept-file.ts'

/** The certificate authorities that have files in `ca/`. */
export type CaName = 'root' | 'devices' | 'services'

/** `ca/<name>.key` and `ca/<name>.crt`. A key is written before its certificate, so a certificate has its key. */
export interface CaFiles {
  hasCertificate(name: CaName): boolean
  /** The key of a CA: opened if there is one, otherwise made and written first. */
  openOrMakeKey(name: CaName): Promise<KeyObject>
  /** The key of a CA that exists. */
  openKey(name: CaName): Promise<KeyObject>
  readCertificate(name: CaName): Promise<Certificate>
  writeCertificate(name: CaName, certificate: Certificate): Promise<void>
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
  const keyFile = (name: CaName): string => `ca/${name}.key`
  const certificateFile = (name: CaName): string => `ca/${name}.crt`
  const has = (path: string): boolean => existsSync(data.file(path))

  const openKey = async (name: CaName): Promise<KeyObject> => {
    const path = data.file(keyFile(name))
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
        `${path} does not open: ${error.message}; give its passphrase in FLEETROOT_CA_PASSPHRASE or ${data.file('ca/passphrase')}`,
        { cause: error },
      )
    }
  }

  return {
    hasCertificate: (name) => has(certificateFile(name)),
    openKey,
    openOrMakeKey: async (name) => {
      if (has(keyFile(name))) return openKey(name)
      const { privateKey } = generateKeyPair(algorithm)
      await data.write(keyFile(name), exportPrivateKey(privateKey, passphrase))
      made(keyFile(name))
      return privateKey
    },
    readCertificate: (name) => readKeptFile(data.file(certificateFile(name)), parseCertificate, restored),
    writeCertificate: async (name, certificate) => {
      await data.write(certificateFile(name), certificate.pem)
      made(certificateFile(name))
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
