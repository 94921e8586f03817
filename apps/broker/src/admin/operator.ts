import type { TLSSocket } from 'node:tls'
import type { CallerRefusal } from '@fleetroot/service'
import { peerIdentity, type PeerTrust } from '@fleetroot/tls-config'
import type { PeerRules } from '../admission/peer.ts'
import { refuseStanding } from '../admission/standing.ts'

/** What a caller is judged by: as a peer of the broker, but by no policy, which is about topics. */
export type CallerRules = Pick<PeerRules, 'issuers' | 'trustDomain' | 'now' | 'standingOf'>

/**
 * Who may administer the broker over the network: an operator of this trust domain, by a certificate that the CA for services
 * issued and that is valid, unexpired and unrevoked now. Where nothing recent is known of revoked certificates
 * nobody may, as at the broker's own door; loopback remains.
 */
export function admitOperator(
  socket: TLSSocket,
  { issuers, trustDomain, now, standingOf }: CallerRules,
): { readonly caller: string } | CallerRefusal {
  const trust: PeerTrust = { issuers, trustDomain, now: new Date(now), onlyOwnAnchors: true }
  const peer = peerIdentity(socket, trust)
  if (peer.kind === 'none') return { code: 'no-certificate', detail: 'the client sent no certificate' }
  if (peer.kind === 'refused') return { code: peer.code, detail: peer.detail }
  if (peer.role !== 'operator') {
    const detail = `${peer.role} ${peer.id} is no operator; use an operator certificate`
    return { code: 'not-an-operator', detail }
  }
  return refuseStanding(standingOf(peer)) ?? { caller: peer.id }
}
