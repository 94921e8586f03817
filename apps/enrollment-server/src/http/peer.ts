import type { TLSSocket } from 'node:tls'
import {
  type NoPeer,
  peerIdentity,
  type PeerIdentity,
  type PeerRefusal,
  trustedIssuers,
} from '@fleetroot/tls-config'
import { type Authority, issuersOf } from '../authority/authority.ts'

/** The identity at the other end of a connection. */
export type PeerReader = (socket: TLSSocket) => PeerIdentity | NoPeer | PeerRefusal

/**
 * Reads the identity of a connection's client certificate: once for each connection, and once more when the CAs
 * have changed, as its CA may be retired. That the certificate may expire or be revoked while the connection lives is for
 * the caller to look at, on every request.
 */
export function createPeerReader(
  authority: () => Authority,
  trustDomain: string,
  now: () => Date,
): PeerReader {
  let known = new WeakMap<TLSSocket, ReturnType<PeerReader>>()
  let trusted:
    | { readonly authority: Authority; readonly issuers: ReturnType<typeof trustedIssuers> }
    | undefined

  function issuers(): ReturnType<typeof trustedIssuers> {
    const current = authority()
    if (trusted?.authority !== current) {
      const certificates = (kind: 'devices' | 'services') =>
        issuersOf(current, kind).map(({ certificate }) => certificate)
      trusted = {
        authority: current,
        issuers: trustedIssuers({ devices: certificates('devices'), services: certificates('services') }),
      }
      known = new WeakMap()
    }
    return trusted.issuers
  }

  return (socket) => {
    const judges = issuers()
    const seen = known.get(socket)
    if (seen) return seen
    // A root goes on trusting CAs that are retired here. The signature is looked at, so that none of them can pass for one
    // that is not.
    const peer = peerIdentity(socket, { issuers: judges, trustDomain, now: now() })
    known.set(socket, peer)
    return peer
  }
}
