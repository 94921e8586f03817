import type { Certificate, DeviceId, Role } from '@fleetroot/pki'
import type { Refusal } from '../problem/refusal.ts'
import type {
  ApprovalRecord,
  CertificateRecord,
  ClaimRecord,
  ClaimUse,
  TokenRecord,
} from '../registry/records.ts'
import type { IdevidProof } from './idevid.ts'
import { isManagedId, retryWindowMs } from './inventory.ts'

/** What a request brings to prove that it may have a certificate. */
export type Credential =
  /** A one-time token as the registry knows it, and the id that was sent with it (EST's user name). */
  | {
      readonly kind: 'token'
      readonly hash: string
      readonly token: TokenRecord | undefined
      readonly sentId?: string
    }
  /** The identity of a client certificate whose chain TLS has proven, and its record. */
  | {
      readonly kind: 'certificate'
      readonly id: DeviceId
      readonly role: Role
      readonly certificate: Certificate
      readonly record: CertificateRecord | undefined
      /** Set where an expired certificate may do what is asked for with it; nowhere else does one count. */
      readonly grace?: Grace
    }
  /** A claim certificate, its record and that of the claim, and what has enrolled the device that is asked for. */
  | {
      readonly kind: 'claim'
      readonly id: DeviceId
      readonly certificate: Certificate
      readonly record: CertificateRecord | undefined
      readonly claim: ClaimRecord | undefined
      readonly use?: ClaimUse
    }
  /** A manufacturer certificate, and what came of looking at it. */
  | { readonly kind: 'idevid'; readonly proof: IdevidProof; readonly id: DeviceId | undefined }
  /** None, and what an operator has decided about the key of the CSR, if anything. */
  | { readonly kind: 'approval'; readonly approval: ApprovalRecord | undefined }
  /** An operator that makes a claim, for so long at most. */
  | { readonly kind: 'operator'; readonly id: DeviceId; readonly lifetimeSeconds?: number }
  /** The server process itself, which owns the data directory and the issuing keys. */
  | { readonly kind: 'local'; readonly id: DeviceId }

/** What an expired certificate may still be used for its own renewal by. */
export interface Grace {
  /** How long after notAfter: what the profile allows. */
  readonly lengthMs: number
  /** A certificate that its device got at the same time or later was revoked: so is what was left behind. */
  readonly isLeftBehind: boolean
}

/** Whose credential it is, or why it is none. Decided before a CSR is looked at, which costs more. */
export type Authentication =
  /** Without an id only the CSR says whom it is for. */
  { readonly ok: true; readonly id?: DeviceId } | ({ readonly ok: false } & Refusal)

/** Decides whether a credential is good at `now`, whatever is asked for with it. */
export function authenticate(credential: Credential, now: Date): Authentication {
  switch (credential.kind) {
    case 'token':
      return authenticateToken(credential, now)
    case 'certificate':
      return authenticateCertificate(credential, now)
    case 'claim':
      return authenticateClaim(credential, now)
    case 'idevid':
      return authenticateIdevid(credential)
    case 'approval':
      return { ok: true }
    case 'operator':
      return { ok: true, id: credential.id }
    case 'local':
      return isManagedId(credential.id)
        ? { ok: true, id: credential.id }
        : { ok: false, code: 'role-not-allowed', detail: `id: ${credential.id} is not the server's own` }
    default:
      return credential satisfies never
  }
}

function authenticateClaim(credential: Extract<Credential, { kind: 'claim' }>, now: Date): Authentication {
  const { id, claim } = credential
  const authentication = authenticateCertificate(credential, now)
  if (!authentication.ok) return authentication
  if (!claim) return { ok: false, code: 'certificate-inactive', detail: `certificate: ${id} is no claim` }
  if (claim.state === 'suspended' || claim.state === 'retired') {
    return { ok: false, code: 'device-inactive', detail: `claim: ${id} is ${claim.state}` }
  }
  return { ok: true }
}

function authenticateIdevid({ proof, id }: Extract<Credential, { kind: 'idevid' }>): Authentication {
  if (!proof.ok)
    return { ok: false, code: 'idevid-refused', detail: `manufacturer certificate: ${proof.detail}` }
  if (id !== undefined) return { ok: true, id }
  const { manufacturer, serialNumber } = proof
  return {
    ok: false,
    code: 'device-unknown',
    detail: `manufacturer certificate: no device is registered for ${JSON.stringify(serialNumber)} of ${manufacturer}`,
  }
}

function authenticateCertificate(
  {
    id,
    certificate,
    record,
    grace,
  }: Pick<Extract<Credential, { kind: 'certificate' }>, 'id' | 'certificate' | 'record' | 'grace'>,
  now: Date,
): Authentication {
  const refuse = (code: Refusal['code'], detail: string): Authentication => ({ ok: false, code, detail })
  if (!record || record.deviceId !== id || !certificate.der.equals(record.der)) {
    return refuse('certificate-inactive', 'certificate: this server never issued it')
  }
  // Of one that was superseded by the clock alone nobody knows whether its successor ever arrived.
  const isUsable = ['issued', 'active'].includes(record.status) || record.status === 'superseded'
  if (!isUsable || record.supersededBy !== undefined) {
    return refuse('certificate-inactive', `certificate: it is ${record.status}`)
  }
  // TLS looked when the connection was made; a kept-alive connection can outlive the certificate.
  if (record.notAfterMs > now.getTime()) return { ok: true, id }
  const expired = `certificate: it expired at ${certificate.notAfter.toISOString()}`
  if (!grace) return refuse('certificate-refused', expired)
  if (grace.isLeftBehind) {
    return refuse('certificate-inactive', `${expired}, and a later one of this device was revoked`)
  }
  if (record.notAfterMs + grace.lengthMs <= now.getTime()) {
    const seconds = grace.lengthMs / 1000
    const why =
      seconds > 0 ? `its profile allows a renewal for ${seconds} s after that` : 'too late to renew it'
    return refuse('certificate-refused', `${expired}; ${why}; enroll again with a token`)
  }
  return { ok: true, id }
}

function authenticateToken(
  { token, sentId }: Extract<Credential, { kind: 'token' }>,
  now: Date,
): Authentication {
  const refuse = (code: Refusal['code'], detail: string): Authentication => ({ ok: false, code, detail })
  // One answer for an unknown token and for one of another device: nothing is learnt by trying ids.
  if (!token || (sentId !== undefined && sentId !== token.deviceId) || isManagedId(token.deviceId)) {
    return refuse('token-invalid', 'token: it is not known, or not for this device id; ask for a new one')
  }
  if (token.used && token.used.atMs <= now.getTime() - retryWindowMs) {
    return refuse('token-used', `token: it was used at ${iso(token.used.atMs)}; ask for a new one`)
  }
  if (!token.used && token.expiresAtMs <= now.getTime()) {
    return refuse('token-expired', `token: it expired at ${iso(token.expiresAtMs)}; ask for a new one`)
  }
  return { ok: true, id: token.deviceId }
}

const iso = (ms: number): string => new Date(ms).toISOString()
