import type { DeviceId } from '@fleetroot/pki'
import type { CsrReport } from '../problem/refusal.ts'
import type { ApprovalOperations } from './approval-table.ts'
import type { AuditOperations } from './audit-log.ts'
import type { AuthorityOperations } from './authority-table.ts'
import type { ClaimOperations } from './claim-table.ts'
import type { ImportOperations } from './device-import.ts'
import type { EventOperations } from './event-log.ts'
import type { LifecycleOperations } from './lifecycle.ts'
import type { Actor, CertificateRecord, DeviceRecord, DeviceState, TokenRecord } from './records.ts'
import type { RequestOperations } from './request-table.ts'
import type { RevocationOperations } from './revocation-table.ts'
import type { SuccessionOperations } from './succession-table.ts'

/** A device to add to the inventory; `by` goes into the audit, `server` if it is left out. */
export type NewDevice = Pick<
  DeviceRecord,
  'id' | 'profile' | 'dns' | 'ip' | 'labels' | 'batch' | 'idevid' | 'createdAtMs'
> & {
  readonly by?: Actor
}

/** A token to add, by its hash. */
export interface NewToken {
  readonly hash: string
  readonly deviceId: DeviceId
  readonly createdAtMs: number
  readonly expiresAtMs: number
  readonly by?: Actor
}

/** A page request: `after` is the last id of the page before. */
export interface DevicePage {
  readonly limit: number
  readonly after?: string
  readonly state?: DeviceState
  readonly profile?: string
  /** Of these profiles alone. */
  readonly among?: readonly string[]
  /** Of no such profile. */
  readonly without?: readonly string[]
}

/** A page of certificates in the order of their issuance: `after` is the `next` of the page before. */
export interface CertificatePage {
  readonly limit: number
  readonly after?: number
  readonly deviceId?: DeviceId
  readonly status?: 'issued' | 'active' | 'superseded' | 'held' | 'revoked' | 'expired'
  readonly nowMs: number
}

/** A certificate to record, and the token, if any, that it uses up. Both happen, or neither. */
export interface NewCertificate {
  readonly certificate: Omit<CertificateRecord, 'status' | 'revocation'>
  readonly tokenHash?: string
  /** The claim that it uses up one of, and the serial of the certificate that proved it. */
  readonly claim?: { readonly id: DeviceId; readonly serial: string }
  /** The public key whose approval it uses. */
  readonly approval?: string
  /** Issued for a manufacturer certificate, which has no end: bounded like a renewal. */
  readonly byIdevid?: true
  /** Who caused it, if it is not the one who gets it. */
  readonly by?: Actor
  /** Serial of the certificate that this one renews: it must not have been revoked since it was looked at. */
  readonly renews?: string
  /** That certificate has expired: nothing that its device got since may have been revoked either. */
  readonly inGrace?: boolean
  /** Who asked and how, for the audit. */
  readonly origin?: { readonly protocol: string; readonly address?: string }
  /** What became of each field of the CSR, for the audit. */
  readonly csr?: CsrReport
  /** How long ago the token may have been used for the same key to be answered again. */
  readonly retryWindowMs: number
}

/**
 * What became of {@link NewCertificate}. The admission decision was taken on a snapshot; these are the
 * ways in which the registry may have changed since.
 */
export type RecordOutcome =
  | { readonly outcome: 'recorded' }
  /** Another request with the same token, or claim, and the same key was first: this is its certificate. */
  | { readonly outcome: 'repeated'; readonly certificate: CertificateRecord }
  | {
      readonly outcome: 'refused'
      readonly code:
        | 'token-used'
        | 'token-expired'
        | 'device-unknown'
        | 'device-inactive'
        | 'key-in-use'
        | 'approval-unknown'
        | 'device-revoked'
        | 'claim-exists'
        | 'claim-exhausted'
        | 'claim-not-for-device'
        | 'device-enrolled'
        | 'certificate-inactive'
        | 'renewals-limited'
    }

/**
 * Everything that the server remembers, as one flat list of operations. Each is atomic; the ones that
 * write are durable before they answer. Every store (SQLite, PostgreSQL) offers exactly these.
 */
export interface RegistryOperations
  extends
    LifecycleOperations,
    RevocationOperations,
    RequestOperations,
    ImportOperations,
    SuccessionOperations,
    AuthorityOperations,
    EventOperations,
    AuditOperations,
    ApprovalOperations,
    ClaimOperations {
  /** Adds a device; `false` if the id exists, or another device has its idevid, which leaves the existing record as it is. */
  addDevice(device: NewDevice): boolean
  findDevice(id: DeviceId): DeviceRecord | undefined
  /** The device that a manufacturer calls so. */
  findDeviceOfManufacturer(idevid: { manufacturer: string; serialNumber: string }): DeviceRecord | undefined
  /** Devices in the order of their ids. */
  listDevices(page: DevicePage): DeviceRecord[]
  /** Replaces the DNS names and IP addresses of a device; `false` if it does not exist. */
  renameDevice(device: Pick<DeviceRecord, 'id' | 'dns' | 'ip'>): boolean
  /** Adds a token by its hash; `false` if the device does not exist. */
  addToken(token: NewToken): boolean
  /** The token and the device that it is bound to. */
  findToken(hash: string): { token: TokenRecord; device: DeviceRecord } | undefined
  findCertificate(serial: string): CertificateRecord | undefined
  listCertificates(page: CertificatePage): { items: CertificateRecord[]; next?: number }
  /**
   * True if a certificate that the same device got at the same time as this one, or later, was revoked for good. An
   * expired certificate is on no list; whether it may still renew itself is seen by that.
   */
  isLeftBehind(serial: string): boolean
  /** The device that a public key was certified for first. */
  findKeyHolder(publicKey: string): DeviceId | undefined
  /** Records a certificate and consumes its token in one transaction. */
  recordCertificate(input: NewCertificate): RecordOutcome
}

/** The registry as the server sees it: every operation of {@link RegistryOperations}, answered later. */
export type Registry = {
  readonly [Name in keyof RegistryOperations]: (
    input: Parameters<RegistryOperations[Name]>[0],
  ) => Promise<ReturnType<RegistryOperations[Name]>>
} & {
  /** Finishes what was asked and lets go of the store. */
  close(): Promise<void>
}
