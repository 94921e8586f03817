import type { DeviceId, Role } from '@fleetroot/pki'
import type { AuthorizationQuestion } from '../authorization/question.ts'
import type { ConnectionBinding } from '../admission/linking.ts'
import type { IssuerId } from '../authority/ca-id.ts'
import type { CsrReport, Refusal } from '../problem/refusal.ts'
import type { Actor, CertificateRecord } from '../registry/records.ts'

// What goes in and comes out of an enrollment is plain values: they cross from thread to thread.

/** What a caller proves itself with. Whether it is worth anything is for the registry and admission to say. */
export type PresentedCredential =
  /** A one-time token by its hash, and the id that was sent with it (EST's user name). */
  | { readonly kind: 'token'; readonly hash: string; readonly sentId?: string }
  /** The identity of a client certificate (DER) whose chain TLS has proven, and validity, unless `isLate`. */
  | {
      readonly kind: 'certificate'
      readonly id: DeviceId
      readonly role: Role
      readonly serial: string
      readonly der: Uint8Array
      /** It has expired, and was let in by the one route where that may be forgiven. */
      readonly isLate?: true
    }
  /** A claim certificate, as above. */
  | { readonly kind: 'claim'; readonly id: DeviceId; readonly serial: string; readonly der: Uint8Array }
  /** A certificate that is none of ours, and those that came with it, DER; TLS has proven its key. Maybe a manufacturer's. */
  | { readonly kind: 'idevid'; readonly chain: readonly Uint8Array[]; readonly isResumed?: true }
  /** Nothing: whether somebody may have a certificate, an operator has to say. */
  | { readonly kind: 'approval' }
  /** An operator that makes a claim of this id: the routes of operators say so, nobody else. */
  | {
      readonly kind: 'operator'
      readonly id: DeviceId
      readonly lifetimeSeconds?: number
      readonly by: Actor
    }
  /** The server process itself, which owns the data directory and the issuing keys. */
  | { readonly kind: 'local'; readonly id: DeviceId }

/** One request for a certificate, whatever the protocol. */
export interface CertificateRequest {
  readonly credential: PresentedCredential
  /** PKCS#10, DER. */
  readonly csr: Uint8Array
  /** The profile that the request names (EST label), if it names one. */
  readonly profile?: string
  /** Of the connection that it came over; left out where the CSR did not come from whom it is for. */
  readonly binding?: ConnectionBinding
  /** The server is to make the key (RFC 7030, section 4.4); that of the CSR is not used. */
  readonly serverKey?: true
  readonly origin: Origin
  /** What the authorization service has allowed. */
  readonly authorized?: AuthorizationQuestion
}

/** Where a request came from, for log and audit: `est`, `rest` or `local`, and the address of the peer. */
export interface Origin {
  readonly protocol: string
  readonly address?: string
}

/** A certificate that the registry knows. */
export type IssuedCertificate = Pick<
  CertificateRecord,
  'der' | 'serial' | 'deviceId' | 'notBeforeMs' | 'notAfterMs'
> & { readonly issuer: IssuerId }

/** The answer: a certificate, or why there is none. */
export type EnrollmentOutcome =
  | {
      readonly ok: true
      readonly certificate: IssuedCertificate
      /** True when the answer of an earlier request is given again. */
      readonly repeated: boolean
      /** What became of each field of the CSR. */
      readonly csr: CsrReport
      /** PKCS#8, where the server made the key: it exists here and nowhere else, and goes into no file, log or audit. */
      readonly privateKey?: Uint8Array
    }
  /** `deviceId` is whom the credential belongs to, where that is known. */
  | ({ readonly ok: false; readonly deviceId?: DeviceId } & Refusal)

/** The answer of one attempt; with `question` it waits for a yes of the authorization service, and nothing has happened yet. */
export type EnrollmentStep =
  | EnrollmentOutcome
  | { readonly ok: false; readonly question: AuthorizationQuestion; readonly deviceId: DeviceId }
