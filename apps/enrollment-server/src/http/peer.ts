import type { TLSSocket } from 'node:tls'
import {
  type NoPeer,
  peerIdentity,
  type PeerIdentity,
  type PeerRefusal,
  trustedIssuers,
} from '@fleetroot/tls-config'
import type { Authority } from '../authority/authority.ts'

/** The identity at the other end of a connection. */
export type PeerReader = (socket: TLSSocket) => PeerIdentity | NoPeer | PeerRefusal

/**
 * Reads the identity of a connection's client certificate, once for each connection. That the certificate may
 * expire or be revoked while the connection lives is for the caller to look at, on every request.
 */
export function createPeerReader(authority: Authority, now: () => Date): PeerReader {
  const { devices, services } = authority.issuers
  const issuers = trustedIssuers({ devices: [devices.certificate], services: [services.certificate] })
  const known = new WeakMap<TLSSocket, ReturnType<PeerReader>>()
  return (socket) => {
    const seen = known.get(socket)
    if (seen) return seen
    // Every CA below the trust anchor of this server is its own.
    const peer = peerIdentity(socket, { issuers, now: now(), onlyOwnAnchors: true })
    known.set(socket, peer)
    return peer
  }
}
