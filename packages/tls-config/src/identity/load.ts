import { exportPrivateKey } from '@fleetroot/pki'
import type { Certificate } from '@fleetroot/pki'
import { checkChain, parseChain } from './chain.ts'
import { readPrivateText, readText } from '../pem/file.ts'
import { parsePrivateKey } from '../pem/private-key.ts'

/** Where a key and its certificate are. `certFile` holds the leaf first, then its issuing CA; PEM. */
export interface IdentityFiles {
  readonly certFile: string
  readonly keyFile: string
  /** Opens an encrypted PKCS#8 key. */
  readonly passphrase?: string
}

/** A key and certificate chain that belong together and were valid when loaded. */
export interface TlsIdentity {
  /** PKCS#8 PEM, not encrypted: it goes to `node:tls`, never to a log. */
  readonly key: string
  /** Leaf and chain, PEM. */
  readonly cert: string
  readonly certificate: Certificate
  /** The CA certificates after the leaf, in order. */
  readonly chain: readonly Certificate[]
}

/**
 * Loads a TLS identity from its two files and proves that it can work at the time `now`.
 *
 * @throws TlsConfigError naming the file and the fix: a file that is missing, unreadable or (the key's)
 * readable by others; no key or no certificate in it; an encrypted key and no or the wrong passphrase; a key
 * of another certificate; a chain out of order; a certificate that is expired or not yet valid
 */
export function loadIdentity(files: IdentityFiles, now: Date): TlsIdentity {
  const { certFile, keyFile, passphrase } = files
  const [certificate, ...chain] = parseChain(readText(certFile, 'certificate file'), certFile)
  const privateKey = parsePrivateKey(readPrivateText(keyFile, 'key file'), keyFile, passphrase)
  checkChain([certificate, ...chain], privateKey, files, now)
  const cert = [certificate, ...chain].map((each) => each.pem).join('')
  return { key: exportPrivateKey(privateKey), cert, certificate, chain }
}
