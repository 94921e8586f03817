import type { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import type { FastifyRequest } from 'fastify'
import type { PresentedCredential } from '../enrollment/request.ts'
import type { PeerReader } from './peer.ts'

/** Which requests without a token, and without a certificate of ours, are looked at. */
export interface Bootstrap {
  /** Certificates of manufacturers. */
  readonly byManufacturer: boolean
  /** Whoever has nothing may ask an operator. */
  readonly byApproval: boolean
}

/** More than a manufacturer's path is allowed to have. */
const mostCertificates = 16

/**
 * What a request without `Authorization` and without a certificate of this hierarchy counts as: a manufacturer certificate where one
 * was shown, else a question to an operator. Undefined where neither is configured, and where an identity of ours calls: that
 * has its own ways.
 */
export function presentedWithoutToken(
  request: FastifyRequest,
  { readPeer, bootstrap }: { readPeer: PeerReader; bootstrap: Bootstrap },
): PresentedCredential | undefined {
  if (request.headers.authorization !== undefined) return undefined
  const socket = request.raw.socket as TLSSocket
  const peer = readPeer(socket)
  if (peer.kind === 'identity' || (peer.kind === 'refused' && peer.expired)) return undefined
  const chain = peer.kind === 'refused' && bootstrap.byManufacturer ? peerChain(socket) : []
  if (chain.length > 0) {
    return { kind: 'idevid', chain, ...(socket.isSessionReused() && { isResumed: true as const }) }
  }
  return bootstrap.byApproval ? { kind: 'approval' } : undefined
}

/** What the peer showed, its own certificate first. TLS has proven that it has the key of that one, and nothing else. */
function peerChain(socket: TLSSocket): Uint8Array[] {
  const chain: Uint8Array[] = []
  let certificate: X509Certificate | undefined = socket.getPeerX509Certificate()
  // OpenSSL ends a chain that it has verified with the anchor, which is its own issuer.
  while (certificate && chain.length < mostCertificates) {
    chain.push(new Uint8Array(certificate.raw))
    const next: X509Certificate | undefined = certificate.issuerCertificate
    certificate = next?.fingerprint256 === certificate.fingerprint256 ? undefined : next
  }
  return chain
}
