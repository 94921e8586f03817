import type { KeyObject } from 'node:crypto'
import { importPrivateKey, PkiError } from '@fleetroot/pki'
import { TlsConfigError } from '../error.ts'

/**
 * The private key in the PEM text of `file`.
 *
 * @throws TlsConfigError `key-missing`, `key-malformed`, `passphrase-missing` or `passphrase-wrong`
 */
export function parsePrivateKey(pem: string, file: string, passphrase: string | undefined): KeyObject {
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem)) {
    throw new TlsConfigError('key-missing', `key file ${file}: no private key in it; give its PEM`)
  }
  try {
    return importPrivateKey(pem, passphrase)
  } catch (error) {
    throw explain(error, file)
  }
}

function explain(error: unknown, file: string): unknown {
  if (!(error instanceof PkiError)) return error
  if (error.code === 'key-passphrase-missing') {
    const message = `key file ${file}: the key is encrypted; give its passphrase`
    return new TlsConfigError('passphrase-missing', message, { cause: error })
  }
  if (error.code === 'key-passphrase-wrong') {
    const message = `key file ${file}: the passphrase does not open it (or the file is damaged); give the right one`
    return new TlsConfigError('passphrase-wrong', message, { cause: error })
  }
  return new TlsConfigError('key-malformed', `key file ${file}: ${error.message}`, { cause: error })
}
