import { isIP } from 'node:net'
import { checkServerIdentity } from 'node:tls'
import type { ConnectionOptions, PeerCertificate } from 'node:tls'
import { certificateIdentity, parseCertificate, type Role } from '@fleetroot/pki'
import { parseTrust } from '../trust/anchors.ts'
import { protocolOptions } from './protocol.ts'
import type { KeyAndCertificate, TlsMode } from './protocol.ts'

/** Whom a server's certificate must name, as role and id of its SPIFFE URI. */
export interface ServerIdentity {
  readonly role: Role
  readonly id: string
}

/** The identity of every enrollment server. */
export const enrollmentServer: ServerIdentity = { role: 'service', id: 'enrollment-server' }

/** What `clientTlsOptions` needs to know. */
export interface ClientTlsSettings {
  /** Trust anchors for the server's certificate, PEM. They replace the system's, they are not added to them. */
  readonly trust: readonly string[]
  readonly identity?: KeyAndCertificate
  readonly mode: TlsMode
  /** The name or IP address that the server's certificate must be for; default: the host connected to. */
  readonly serverName?: string
  /**
   * Who must answer, beside having the name: another service below the same root may have a certificate for it.
   * Left out: whoever has it.
   */
  readonly server?: ServerIdentity
}

/**
 * Hardened options for `tls.connect`, `https.request` and MQTT.js. The server is always verified, and its
 * name by the subject alternative names only: a CN is no host name (RFC 9525 section 2).
 *
 * @throws TlsConfigError `trust-missing`, `trust-not-a-ca` or `certificate-malformed`
 */
export function clientTlsOptions(settings: ClientTlsSettings): ConnectionOptions {
  const { trust, identity, mode, serverName, server } = settings
  const anchors = parseTrust(trust, 'option trust')
  return {
    ...protocolOptions(mode),
    ...(identity === undefined ? {} : { key: identity.key, cert: identity.cert }),
    ca: anchors.map((anchor) => anchor.pem),
    rejectUnauthorized: true,
    // Server Name Indication carries no IP addresses (RFC 6066 section 3).
    ...(serverName === undefined || isIP(serverName) !== 0 ? {} : { servername: serverName }),
    checkServerIdentity: (host, certificate) =>
      checkNames(serverName ?? host, certificate) ?? (server && checkIdentity(server, certificate.raw)),
  }
}

function checkNames(host: string, certificate: PeerCertificate): Error | undefined {
  // Node falls back to the CN when there is no DNS name; without a subject there is nothing to fall back to.
  return checkServerIdentity(host, { ...certificate, subject: {} })
}

/** Node asks in full handshakes; a session can only be resumed with whoever was asked about when it began. */
function checkIdentity({ role, id }: ServerIdentity, der: Buffer): Error | undefined {
  const wanted = `not the ${role} ${id}`
  try {
    const found = certificateIdentity(parseCertificate(der))
    if (!('refused' in found) && found.role === role && found.id === id) return undefined
    const who = 'refused' in found ? `no identity (${found.detail})` : `the ${found.role} ${found.id}`
    return notTheServer(`the server's certificate names ${who}, ${wanted}`)
  } catch (error) {
    return notTheServer(`the server's certificate names ${wanted}: ${(error as Error).message}`)
  }
}

function notTheServer(message: string): Error {
  return Object.assign(new Error(message), { code: 'ERR_TLS_SERVER_IDENTITY' })
}
