import type { Certificate } from '../certificate/index.ts'

/**
 * A certificate that says something else in some of its fields, as a forger would have it. A copy made with `...` alone has no key and
 * no PEM: those are getters of a class.
 */
export function altered(certificate: Certificate, change: Partial<Certificate>): Certificate {
  const { pem, publicKey, publicKeyFingerprint, fingerprint256 } = certificate
  return { ...certificate, pem, publicKey, publicKeyFingerprint, fingerprint256, ...change }
}
