import type { KeyObject } from 'node:crypto'
import { type Issuer, keySigner, parseCertificate } from '@fleetroot/pki'
import { type Authority, type IssuingAuthority, issuingOf } from '../authority/authority.ts'
import type { IssuerId, IssuerKind } from '../authority/ca-id.ts'

/** The CAs as enrollment sees them. */
export interface SigningAuthority {
  /** The one CA of each kind that signs new certificates. */
  readonly issuing: Readonly<Record<IssuerKind, Issuer & { readonly id: IssuerId }>>
  /** Ids of the CAs that are trusted: a certificate of another one is not given out again. */
  readonly trusted: ReadonlySet<string>
  /** Fingerprints of every CA key. */
  readonly keys: ReadonlySet<string>
}

/** The same on its way to another thread, where a private key travels as the object that it is. */
export interface SentAuthority {
  readonly issuing: Readonly<Record<IssuerKind, SentIssuer>>
  readonly trusted: ReadonlySet<string>
  readonly keys: ReadonlySet<string>
}

interface SentIssuer {
  readonly id: IssuerId
  readonly certificate: Uint8Array
  readonly privateKey: KeyObject
}

/** Packs what enrollment needs of the CAs. */
export function sendAuthority(authority: Authority): SentAuthority {
  const send = ({ id, certificate, privateKey }: IssuingAuthority): SentIssuer => ({
    id,
    certificate: new Uint8Array(certificate.der),
    privateKey,
  })
  return {
    issuing: {
      devices: send(issuingOf(authority, 'devices')),
      services: send(issuingOf(authority, 'services')),
    },
    trusted: new Set(authority.issuers.keys()),
    keys: authority.keys,
  }
}

/** Unpacks it, for signing on the thread that this runs on. */
export function receiveAuthority({ issuing, trusted, keys }: SentAuthority): SigningAuthority {
  const receive = ({ id, certificate, privateKey }: SentIssuer) => ({
    id,
    certificate: parseCertificate(certificate),
    signer: keySigner(privateKey, { thread: 'calling' }),
  })
  return {
    issuing: { devices: receive(issuing.devices), services: receive(issuing.services) },
    trusted,
    keys,
  }
}
