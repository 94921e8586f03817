import { createPrivateKey, type KeyObject } from 'node:crypto'
import { PkiError } from '../error.ts'
import { fromPem, toPem } from '../pem.ts'
import { keyAlgorithm } from './algorithm.ts'
import { encryptPkcs8 } from './pbes2.ts'

/**
 * OpenSSL, and with it `KeyObject.export`, stops at 2,048 rounds. This is OWASP's figure for HMAC-SHA-512
 * (Password Storage Cheat Sheet, 2023): about 0.1 s, once per start, for whoever holds the passphrase.
 */
const iterations = 210_000

/** The PEM labels of private keys, and what the bytes under them are. */
const formats: Readonly<Record<string, 'pkcs8' | 'pkcs1' | 'sec1'>> = {
  'PRIVATE KEY': 'pkcs8',
  'ENCRYPTED PRIVATE KEY': 'pkcs8',
  'RSA PRIVATE KEY': 'pkcs1',
  'EC PRIVATE KEY': 'sec1',
}

/**
 * A private key as PEM PKCS#8 (RFC 5958), encrypted when there is a passphrase. An empty passphrase is
 * refused: it would look like protection.
 */
export function exportPrivateKey(key: KeyObject, passphrase?: string): string {
  if (key.type !== 'private') throw new PkiError('key-invalid', 'private key: this is a public key')
  const pkcs8 = key.export({ format: 'der', type: 'pkcs8' })
  if (passphrase === undefined) return toPem('PRIVATE KEY', pkcs8)
  if (passphrase === '')
    throw new PkiError('key-passphrase-missing', 'private key: the passphrase must not be empty')
  return toPem(
    'ENCRYPTED PRIVATE KEY',
    encryptPkcs8(pkcs8, { password: passphrase, hash: 'sha512', iterations }),
  )
}

/**
 * Reads the one private key of a PEM text: PKCS#8, encrypted PKCS#8, and the older PKCS#1 and SEC 1 forms
 * that openssl still writes. Other blocks (a certificate, EC PARAMETERS) are passed over.
 *
 * @throws PkiError `key-passphrase-missing`, `key-passphrase-wrong`, `key-unsupported`, `pem-invalid`, or
 * `key-invalid` when there is no private key or more than one
 */
export function importPrivateKey(pem: string, passphrase?: string): KeyObject {
  const [block, ...more] = fromPem(pem).filter(({ label }) => Object.hasOwn(formats, label))
  if (block === undefined) throw new PkiError('key-invalid', 'private key: the PEM text holds no private key')
  if (more.length > 0) throw new PkiError('key-invalid', 'private key: the PEM text holds more than one')

  const encrypted = block.label === 'ENCRYPTED PRIVATE KEY'
  if (encrypted && (passphrase === undefined || passphrase === '')) {
    throw new PkiError('key-passphrase-missing', 'private key: is encrypted and no passphrase was given')
  }
  const type = formats[block.label] ?? 'pkcs8'
  let key: KeyObject
  try {
    key = createPrivateKey({ key: block.der, format: 'der', type, ...(encrypted ? { passphrase } : {}) })
  } catch (cause) {
    // OpenSSL cannot always tell a wrong passphrase from a damaged file: both decrypt to noise.
    if (encrypted) {
      throw new PkiError(
        'key-passphrase-wrong',
        'private key: the passphrase is wrong, or the file is damaged',
        { cause },
      )
    }
    throw new PkiError('key-invalid', 'private key: is not a valid key', { cause })
  }
  keyAlgorithm(key)
  return key
}
