import type { TLSSocket } from 'node:tls'
import type { Name } from '@fleetroot/pki'
import { peerIdentity, type PeerIdentity, type PeerRefusalCode, type PeerTrust } from '@fleetroot/tls-config'
import { type Policy, policyRoles } from '@fleetroot/policy'
import type { Identity } from './identity.ts'
import { refuseStanding, type Standing, type StandingRefusalCode } from './standing.ts'

/** Why a connection is refused once its handshake is done. */
export type PeerAdmissionCode =
  | PeerRefusalCode
  | StandingRefusalCode
  | 'no-certificate'
  | 'role-claim'
  | 'role-without-policy'

export type PeerVerdict =
  | { readonly admitted: true; readonly identity: Identity; readonly peer: PeerIdentity }
  | { readonly admitted: false; readonly code: PeerAdmissionCode; readonly detail: string }

/** What a peer is judged by. */
export interface PeerRules extends Pick<PeerTrust, 'issuers' | 'trustDomain'> {
  readonly policy: Policy
  /** The listener, where it has a policy of its own. */
  readonly listener?: string | undefined
  /** Milliseconds since 1970. */
  readonly now: number
  /** What is known of the certificate's revocation. */
  readonly standingOf: (certificate: Pick<PeerIdentity, 'issuerKeyId' | 'serial'>) => Standing
}

/**
 * Steps 2 to 4 of admission, for every connection, resumed ones included: the chain, validity and purpose of
 * the certificate (TLS and `peerIdentity`), one CN, one SPIFFE name, a role that its issuing CA may give, and
 * rights for that role; not expired, revoked or on hold. A claim certificate is refused whatever the policy
 * says: it may only enroll.
 */
export function admitPeer(socket: TLSSocket, rules: PeerRules): PeerVerdict {
  const { issuers, trustDomain, now } = rules
  // The anchors of our listeners are the roots of this system and nothing else.
  const peer = peerIdentity(socket, { issuers, trustDomain, now: new Date(now), onlyOwnAnchors: true })
  if (peer.kind === 'none') return refuse('no-certificate', 'the client sent no certificate')
  if (peer.kind === 'refused') return refuse(peer.code, peer.detail)
  return admitIdentity(peer, rules)
}

/** The part of `admitPeer` that follows the certificate's own proof. Pure. */
export function admitIdentity(
  peer: PeerIdentity,
  { policy, listener, now, standingOf }: Omit<PeerRules, 'issuers'>,
): PeerVerdict {
  const notAfterMs = peer.notAfter.getTime()
  if (now >= notAfterMs) return refuse('certificate-expired', 'the certificate has expired; renew it')
  if (peer.role === 'claim') {
    return refuse(
      'role-claim',
      'a claim certificate may only enroll; connect with the certificate it was traded for',
    )
  }
  if (!policy.roles.has(peer.role)) {
    const known = policyRoles.filter((role) => policy.roles.has(role)).join(', ')
    return refuse(
      'role-without-policy',
      `the policy gives no rights to the role ${peer.role}, only to: ${known}`,
    )
  }
  const refusal = refuseStanding(standingOf(peer))
  if (refusal !== undefined) return refuse(refusal.code, refusal.detail)
  const { id, role, serial, issuer, issuerKeyId, certificate } = peer
  const identity: Identity = {
    id,
    role,
    serial,
    issuer,
    issuerKeyId,
    notAfterMs,
    ...(listener === undefined ? {} : { listener }),
    o: soleLevel(certificate.subject, organization),
    ou: soleLevel(certificate.subject, organizationalUnit),
  }
  return { admitted: true, identity, peer }
}

/** X.520 attribute types. */
const organization = '2.5.4.10'
const organizationalUnit = '2.5.4.11'

/** The value of an attribute that occurs once and can be a level of a topic; otherwise rules with it never match. */
function soleLevel(subject: Name, type: string): string | undefined {
  const found = subject.flat().filter((attribute) => attribute.type === type)
  const value = found.length === 1 ? found[0]!.value : undefined
  return value !== undefined && /^[^/+#$\p{C}]{1,64}$/u.test(value) && !/^\.{1,2}$/.test(value)
    ? value
    : undefined
}

function refuse(code: PeerAdmissionCode, detail: string): PeerVerdict {
  return { admitted: false, code, detail }
}
