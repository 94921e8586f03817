import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Puts the keys of a new hierarchy into a data directory, as a first start that was interrupted leaves them: `ca/<id>.key`, and
 * `ca/passphrase` unless the caller has one. The enrollment server goes on from there, and makes the certificates. OpenSSL encrypts
 * with 2,048 rounds, the server with a hundred times as many, which is half of what its start costs. For tests whose subject
 * is something else.
 */
export function writeCaKeys(data: string, passphrase?: string): void {
  const secret = { mode: 0o600 }
  mkdirSync(join(data, 'ca'), { recursive: true, mode: 0o700 })
  const password = passphrase ?? randomBytes(32).toString('base64url')
  if (passphrase === undefined) writeFileSync(join(data, 'ca/passphrase'), `${password}\n`, secret)
  for (const id of ['root', 'devices', 'services']) {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const pem = privateKey.export({
      type: 'pkcs8',
      format: 'pem',
      cipher: 'aes-256-cbc',
      passphrase: password,
    })
    writeFileSync(join(data, `ca/${id}.key`), pem, secret)
  }
}
