import { createHash } from 'node:crypto'
import type { TlsOptions } from 'node:tls'
import { parseTrust } from '../trust/anchors.ts'
import { protocolOptions } from './protocol.ts'
import type { KeyAndCertificate, TlsMode } from './protocol.ts'

/** What `serverTlsOptions` needs to know. */
export interface ServerTlsSettings {
  readonly identity: KeyAndCertificate
  /**
   * Trust anchors for client certificates, PEM. They replace the system's, they are not added to them. The
   * issuing CAs may be listed after their root: it helps clients that send their leaf alone, and trusts
   * nobody new, because only a root ends a chain.
   */
  readonly trust: readonly string[]
  readonly mode: TlsMode
  /** `optional`: clients without a certificate, or with a bad one, get in; ask `peerIdentity` on every request. */
  readonly clientCertificate: 'required' | 'optional'
}

const HANDSHAKE_TIMEOUT_MS = 10_000
const SESSION_TIMEOUT_SECONDS = 300

/**
 * Hardened options for `tls.createServer`, `https.createServer` and `server.setSecureContext`.
 *
 * `required` closes the connection of a client without a valid certificate during the handshake. That is not
 * the whole check: a resumed session skips verification, so call `peerIdentity` on every connection.
 *
 * @throws TlsConfigError `trust-missing`, `trust-not-a-ca` or `certificate-malformed`
 */
export function serverTlsOptions(settings: ServerTlsSettings): TlsOptions {
  const { identity, trust, mode, clientCertificate } = settings
  const anchors = parseTrust(trust, 'option trust')
  const ca = anchors.map((anchor) => anchor.pem)
  // Tickets are good only at listeners that would have verified in the same way, whatever ticket keys they share.
  const sessionIdContext = createHash('sha256')
    .update(clientCertificate)
    .update(ca.join())
    .digest('hex')
    .slice(0, 32)
  return {
    ...protocolOptions(mode),
    key: identity.key,
    cert: identity.cert,
    ca,
    requestCert: true,
    rejectUnauthorized: clientCertificate === 'required',
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    sessionTimeout: SESSION_TIMEOUT_SECONDS,
    sessionIdContext,
  }
}
