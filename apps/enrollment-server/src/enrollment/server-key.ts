import {
  type Csr,
  exportPublicKey,
  generateKeyPairAsync,
  keyAlgorithm,
  type KeyAlgorithm,
  publicKeyFingerprint,
} from '@fleetroot/pki'
import type { Refusal } from '../problem/refusal.ts'

/** Attributes by which a CSR asks for its key to be encrypted beneath TLS (RFC 7030, section 4.4.1). */
const encryptionAttributes: readonly string[] = [
  '1.2.840.113549.1.9.15',
  '1.2.840.113549.1.9.16.2.37',
  '1.2.840.113549.1.9.16.2.54',
]

/** They take a second or more, in which others wait. */
const tooSlow: ReadonlySet<KeyAlgorithm> = new Set(['RSA-3072', 'RSA-4096'])

/** Why no key is made for a CSR: it asks for what is not done here, and would take the key for better protected than it is. */
export function refuseServerKey(csr: Csr): Refusal | undefined {
  if (tooSlow.has(keyAlgorithm(csr.publicKey))) {
    const detail =
      'publicKey: the server makes no RSA key above 2048 bits; ask with a P-256 key, or make the key on the device'
    return { code: 'csr-key-unsupported', detail }
  }
  const asked = csr.attributes.find(({ type }) => encryptionAttributes.includes(type))
  if (!asked) return undefined
  const detail = `csr: the attribute ${asked.type} asks for an encrypted key; leave it out, TLS alone protects it here`
  return { code: 'key-encryption-unsupported', detail }
}

/** A key of the kind that the CSR has, and the CSR as if it had that key. Made on the threadpool: RSA takes its time. */
export async function makeServerKey(
  csr: Csr,
): Promise<{ readonly csr: Csr; readonly privateKey: Uint8Array }> {
  const { publicKey, privateKey } = await generateKeyPairAsync(keyAlgorithm(csr.publicKey))
  const publicKeyInfo = exportPublicKey(publicKey)
  return {
    csr: { ...csr, publicKey, publicKeyInfo, publicKeyFingerprint: publicKeyFingerprint(publicKeyInfo) },
    privateKey: new Uint8Array(privateKey.export({ format: 'der', type: 'pkcs8' })),
  }
}
