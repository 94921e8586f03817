import { isIP } from 'node:net'
import { checkServerIdentity } from 'node:tls'
import type { ConnectionOptions, PeerCertificate } from 'node:tls'
import { parseTrust } from '../trust/anchors.ts'
import { protocolOptions } from './protocol.ts'
import type { KeyAndCertificate, TlsMode } from './protocol.ts'

/** What `clientTlsOptions` needs to know. */
export interface ClientTlsSettings {
  /** Trust anchors for the server's certificate, PEM. They replace the system's, they are not added to them. */
  readonly trust: readonly string[]
  readonly identity?: KeyAndCertificate
  readonly mode: TlsMode
  /** The name or IP address that the server's certificate must be for; default: the host connected to. */
  readonly serverName?: string
}

/**
 * Hardened options for `tls.connect`, `https.request` and MQTT.js. The server is always verified, and its
 * name by the subject alternative names only: a CN is no host name (RFC 9525 section 2).
 *
 * @throws TlsConfigError `trust-missing`, `trust-not-a-ca` or `certificate-malformed`
 */
export function clientTlsOptions(settings: ClientTlsSettings): ConnectionOptions {
  const { trust, identity, mode, serverName } = settings
  const anchors = parseTrust(trust, 'option trust')
  return {
    ...protocolOptions(mode),
    ...(identity === undefined ? {} : { key: identity.key, cert: identity.cert }),
    ca: anchors.map((anchor) => anchor.pem),
    rejectUnauthorized: true,
    // Server Name Indication carries no IP addresses (RFC 6066 section 3).
    ...(serverName === undefined || isIP(serverName) !== 0 ? {} : { servername: serverName }),
    checkServerIdentity: (host, certificate) => checkNames(serverName ?? host, certificate),
  }
}

function checkNames(host: string, certificate: PeerCertificate): Error | undefined {
  // Node falls back to the CN when there is no DNS name; without a subject there is nothing to fall back to.
  return checkServerIdentity(host, { ...certificate, subject: {} })
}
