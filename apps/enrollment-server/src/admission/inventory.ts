import type { DeviceId, Profile } from '@fleetroot/pki'
import { isIssuerId } from '../authority/ca-id.ts'
import type { DeviceRecord } from '../registry/records.ts'

/** What the registry and the configuration know that matters for one decision: a snapshot, as plain values. */
export interface Inventory {
  /** The device that the credential names. */
  readonly device: DeviceRecord | undefined
  /** The device that the CSR's public key was certified for before. */
  readonly keyHolder: DeviceId | undefined
  /** Fingerprints of the keys of the root and of the issuing CAs. */
  readonly authorityKeys: ReadonlySet<string>
  readonly profiles: ReadonlyMap<string, Profile>
  readonly trustDomain: string
  /** When a device that waits for an operator should ask again. */
  readonly retryAfterSeconds: number
}

/**
 * How long after the first answer the same token and the same key get the same certificate again: long
 * enough for a device on a bad link to retry, short enough that a stolen used token is worth nothing.
 */
export const retryWindowMs = 10 * 60 * 1000

/**
 * True for the identities that the server makes for itself, for its OCSP responders, of which every issuing CA has one,
 * and for its operator. No token is ever valid for them.
 */
export function isManagedId(id: string): boolean {
  return (
    id === 'enrollment-server' || id === 'operator' || (id.startsWith('ocsp-') && isIssuerId(id.slice(5)))
  )
}
