import { type Certificate, certificateIdentity, type Csr } from '@fleetroot/pki'

import { DeviceClientError } from '../error.ts'

/**
 * Picks our certificate out of an answer (RFC 7030 section 4.2.3 asks for one, some servers add the chain),
 * and refuses what is not ours. `id` is the device id that was asked for.
 *
 * Throws DeviceClientError `certificate-wrong-key` or `certificate-wrong-id`.
 */
export function ownCertificate(answer: readonly Certificate[], csr: Csr, id: string): Certificate {
  const certificate = answer.find(
    ({ publicKeyFingerprint }) => publicKeyFingerprint === csr.publicKeyFingerprint,
  )
  if (!certificate) {
    throw new DeviceClientError(
      'certificate-wrong-key',
      'the server answered with a certificate for another public key: refused; ask again',
    )
  }
  const identity = certificateIdentity(certificate)
  const named = 'refused' in identity ? `nobody (${identity.detail})` : identity.id
  if (named !== id) {
    throw new DeviceClientError(
      'certificate-wrong-id',
      `the server answered with a certificate for ${named}, not for ${id}: refused`,
    )
  }
  return certificate
}
