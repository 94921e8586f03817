import type { Profile } from '@fleetroot/pki'
import type { CertificateRequest } from '../enrollment/request.ts'
import type { DeviceRecord } from '../registry/records.ts'

/** What an authorization service is asked about: who is to get a certificate, and for which key. Nothing in it is secret. */
export interface AuthorizationQuestion {
  readonly deviceId: string
  readonly profile: string
  /** What proves that it may: `token`, `claim`, `certificate` … */
  readonly credential: string
  /** SHA-256 of the SubjectPublicKeyInfo, in hex; left out where the server is to make the key. */
  readonly publicKey?: string
  /** The server makes the key, after the answer. */
  readonly serverKey?: true
  readonly dns: readonly string[]
  readonly ip: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  readonly batch?: string
}

/**
 * The question that has to be answered with yes before a request gets its certificate; undefined when there is none: the server's
 * own identities, and claims that an operator makes, are nobody else's to allow, and what was allowed is not asked again.
 */
export function openQuestion(
  { credential, authorized }: Pick<CertificateRequest, 'credential' | 'authorized'>,
  { id, profile, publicKey }: { id: string; profile: Profile; publicKey: string | undefined },
  device: DeviceRecord,
): AuthorizationQuestion | undefined {
  if (credential.kind === 'local' || credential.kind === 'operator') return undefined
  const { dns, ip, labels, batch } = device
  const question = {
    deviceId: id,
    profile: profile.name,
    credential: credential.kind,
    ...(publicKey === undefined ? { serverKey: true as const } : { publicKey }),
    dns,
    ip,
    labels,
    ...(batch !== undefined && { batch }),
  }
  return authorized !== undefined && JSON.stringify(authorized) === JSON.stringify(question)
    ? undefined
    : question
}
