import type { TLSSocket } from 'node:tls'
import { certificateIdentity, formatName, isIssuedBy, parseCertificate, PkiError } from '@fleetroot/pki'
import type { Certificate, DeviceId, IdentityRefusalCode, Role, SerialNumber } from '@fleetroot/pki'
import { certificateFailure } from '../failure/certificate.ts'
import type { CertificateFailureCode } from '../failure/certificate.ts'
import { authorizationCode, certificateSentence } from '../failure/explain.ts'
import { findIssuer, issuerName } from './issuer.ts'
import type { TrustedIssuer } from './issuer.ts'
import { sessionFacts } from './session.ts'

/** Who is at the other end of a connection, proven. */
export interface PeerIdentity {
  readonly kind: 'identity'
  readonly id: DeviceId
  readonly role: Role
  readonly trustDomain: string
  readonly serial: SerialNumber
  /** The issuing CA's name, for people; `issuerKeyId` tells CAs of the same name apart. */
  readonly issuer: string
  /** Subject key identifier of the issuing CA, lower-case hex. */
  readonly issuerKeyId: string
  /** The connection must end at this moment. */
  readonly notAfter: Date
  /** The session was resumed: nothing but this function has looked at the certificate. */
  readonly resumed: boolean
  /** `TLSv1.2` or `TLSv1.3`. */
  readonly tlsVersion: string
  /** Key exchange group by its IANA name, for example `X25519MLKEM768`. */
  readonly group: string | undefined
  readonly certificate: Certificate
}

/** The peer sent no certificate. */
export interface NoPeer {
  readonly kind: 'none'
}

/** Why a certificate gives no identity. */
export type PeerRefusalCode =
  | CertificateFailureCode
  | IdentityRefusalCode
  | 'certificate-malformed'
  | 'handshake-unfinished'
  | 'issuer-expired'
  | 'role-not-allowed'
  | 'trust-domain-other'

/** The peer sent a certificate that gives it no identity here. `detail` is a sentence for a log. */
export interface PeerRefusal {
  readonly kind: 'refused'
  readonly code: PeerRefusalCode
  readonly detail: string
  /** With `certificate-expired` only: whose it was. It has no rights, unless a grace period gives it one. */
  readonly expired?: PeerIdentity
}

/** What `peerIdentity` judges by. */
export interface PeerTrust {
  readonly issuers: readonly TrustedIssuer[]
  /** Ours. An id of another trust domain is another identity, whoever issued it (SPIFFE-ID, section 2.1). */
  readonly trustDomain: string
  readonly now: Date
  /**
   * Say true only where every CA under the listener's trust anchors is our own. It saves a signature check
   * (69 µs of 96 for P-256). Otherwise another CA could give an issuing CA of its own the name and the key
   * identifier of ours, and the chain would still lead to a trusted root.
   */
  readonly onlyOwnAnchors?: boolean
}

/**
 * The identity of the client at the other end of a server's socket: the one gate for listeners that require
 * a certificate and for those where it is optional. Call it on every `secureConnection` (and once per
 * connection, not per request); anything but `identity` has no rights. It trusts nothing that a ticket may
 * have carried past verification: names, purpose, issuer and dates are read from the certificate again.
 *
 * `certificate-expired` is said only of a certificate that is genuine in every other respect, so that a
 * grace period may be built on it. (OpenSSL reports the last error it met: a forged certificate that is
 * expired as well shows as CERT_HAS_EXPIRED.) Throws nothing.
 */
export function peerIdentity(socket: TLSSocket, trust: PeerTrust): PeerIdentity | NoPeer | PeerRefusal {
  const tlsVersion = socket.getProtocol()
  // A destroyed socket has no peer either, and must not pass for one that chose to be anonymous.
  if (tlsVersion === null || socket.getPeerFinished() === undefined) {
    return refuse('handshake-unfinished', 'the TLS handshake is not finished, or the connection is gone')
  }
  const { certificate: der, group } = sessionFacts(socket)
  if (der === undefined) return { kind: 'none' }

  const verified = socket.authorized ? undefined : (authorizationCode(socket) ?? 'UNKNOWN')
  // "Expired" hides whatever else is wrong; the certificate is judged in full below before it is believed.
  if (verified !== undefined && verified !== 'CERT_HAS_EXPIRED') return refuseFor(verified)

  let certificate: Certificate
  try {
    certificate = parseCertificate(der)
  } catch (error) {
    return refuse('certificate-malformed', error instanceof PkiError ? error.message : 'it cannot be parsed')
  }
  if (certificate.extendedKeyUsage?.includes('clientAuth') !== true) return refuseFor('INVALID_PURPOSE')

  const issuer = findIssuer(certificate, trust.issuers)
  if (issuer === undefined) return refuseFor('UNABLE_TO_GET_ISSUER_CERT_LOCALLY')
  const mustVerify = verified !== undefined || trust.onlyOwnAnchors !== true
  if (mustVerify && !isIssuedBy(certificate, issuer.certificate)) return refuseFor('CERT_SIGNATURE_FAILURE')

  const identity = certificateIdentity(certificate)
  if ('refused' in identity) return refuse(identity.refused, identity.detail)
  const { id, role, trustDomain } = identity
  if (!issuer.roles.includes(role)) {
    return refuse('role-not-allowed', `${formatName(certificate.issuer)} may not issue the role ${role}`)
  }
  if (trustDomain !== trust.trustDomain) {
    const domains = `the trust domain ${trustDomain}, and this is ${trust.trustDomain}`
    return refuse('trust-domain-other', `the certificate is for ${domains}`)
  }
  const proven: PeerIdentity = {
    kind: 'identity',
    id,
    role,
    trustDomain,
    serial: certificate.serial,
    issuer: issuerName(issuer),
    issuerKeyId: certificate.authorityKeyId ?? '',
    notAfter: certificate.notAfter,
    resumed: socket.isSessionReused(),
    tlsVersion,
    group,
    certificate,
  }
  const refusal = refuseForDates(certificate, issuer.certificate, trust.now, verified !== undefined)
  return refusal?.code === 'certificate-expired' ? { ...refusal, expired: proven } : (refusal ?? proven)
}

function refuseForDates(leaf: Certificate, issuer: Certificate, now: Date, openSslSaysExpired: boolean) {
  if (now < leaf.notBefore) return refuseFor('CERT_NOT_YET_VALID')
  // The issuer first: where the CA itself has expired there is nothing to be graceful about.
  if (now > issuer.notAfter) return issuerExpired
  if (now > leaf.notAfter) return refuseFor('CERT_HAS_EXPIRED')
  // Neither of them, so a CA higher up; or this clock and OpenSSL's disagree.
  return openSslSaysExpired ? issuerExpired : undefined
}

function refuseFor(openSslName: string): PeerRefusal {
  const { code, sentence } = certificateSentence(certificateFailure(openSslName), 'the client')
  return refuse(code, sentence)
}

function refuse(code: PeerRefusalCode, detail: string): PeerRefusal {
  return { kind: 'refused', code, detail }
}

const issuerExpired = refuse('issuer-expired', 'a CA above the certificate has expired: renew the CA')
