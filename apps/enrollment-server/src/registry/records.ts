import type { DeviceId, RevocationReason } from '@fleetroot/pki'

/** Where a device is in its life (docs/enrollment.md, "States"). */
export type DeviceState = 'registered' | 'enrolled' | 'active' | 'suspended' | 'retired'

/** Every device state, in the order of a device's life. */
export const deviceStates = ['registered', 'enrolled', 'active', 'suspended', 'retired'] as const

/**
 * Where a certificate is in its life. Expiry is not a status: it follows from `notAfter`. `held` is revoked for
 * the reason certificateHold: the only one that can be taken back.
 */
export type CertificateStatus = (typeof certificateStatuses)[number]

/** Every certificate status. */
export const certificateStatuses = ['issued', 'active', 'superseded', 'held', 'revoked'] as const

/** One entry of the inventory: an identity that may, or already does, hold certificates. */
export interface DeviceRecord {
  readonly id: DeviceId
  /** Name of the profile its certificates are issued under. */
  readonly profile: string
  readonly state: DeviceState
  /** DNS names and IP addresses that its certificates carry, besides its SPIFFE URI. */
  readonly dns: readonly string[]
  readonly ip: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  /** The production batch whose claims may enroll it. */
  readonly batch?: string | undefined
  /** By which certificate of its manufacturer it is known. */
  readonly idevid?: { readonly manufacturer: string; readonly serialNumber: string } | undefined
  readonly createdAtMs: number
  /** The newest certificate, if there is one. */
  readonly certificate?: {
    readonly serial: string
    readonly notAfterMs: number
    readonly status: CertificateStatus
  }
}

/** A one-time token as the registry knows it: by its SHA-256, never by itself. */
export interface TokenRecord {
  readonly deviceId: DeviceId
  readonly expiresAtMs: number
  /** Set once it was exchanged for a certificate. */
  readonly used?: { readonly atMs: number; readonly publicKey: string; readonly serial: string }
}

/** A claim: its certificate enrolls devices of one production batch, each once, up to a quota. */
export interface ClaimRecord {
  readonly id: DeviceId
  readonly batch: string
  readonly quota: number
  /** How many devices it has enrolled. */
  readonly used: number
  readonly createdAtMs: number
  /** Of the claim as an identity of the inventory. */
  readonly state: DeviceState
  /** Left out until its certificate is issued. */
  readonly certificate?: {
    readonly serial: string
    readonly notAfterMs: number
    /** Revoked for good. */
    readonly isRevoked: boolean
  }
}

/** That a claim has enrolled a device. `publicKey` as in a certificate's record. */
export interface ClaimUse {
  readonly claim: DeviceId
  readonly atMs: number
  readonly publicKey: string
  readonly serial: string
}

/** That a device without a credential asks for a certificate for its key, and what an operator has said to that. */
export interface ApprovalRecord {
  /** As in a certificate's record; the approval is for this key and no other. */
  readonly publicKey: string
  readonly deviceId: DeviceId
  readonly profile: string
  readonly state: 'pending' | 'approved' | 'denied'
  readonly address: string
  readonly askedAtMs: number
  readonly decidedAtMs?: number
  /** When it is forgotten, whatever its state. */
  readonly expiresAtMs: number
  /** Of the certificate that was issued by it. */
  readonly serial?: string
}

/** A certificate that was issued. `publicKey` is the SHA-256 of its SubjectPublicKeyInfo, in hex. */
export interface CertificateRecord {
  readonly serial: string
  readonly deviceId: DeviceId
  readonly profile: string
  /** Which issuing CA signed it: `devices` or `services`. */
  readonly issuer: string
  readonly publicKey: string
  readonly notBeforeMs: number
  readonly notAfterMs: number
  readonly status: CertificateStatus
  /** The newer one that has connected; a superseded certificate without it may still be the only one that its device has. */
  readonly supersededBy?: string
  /** Set while the status is `held` or `revoked`. */
  readonly revocation?: { readonly atMs: number; readonly reason: RevocationReason }
  readonly issuedAtMs: number
  readonly der: Uint8Array
}

/** Who caused something: an identity, or the server by itself. */
export interface Actor {
  readonly kind: 'operator' | 'service' | 'device' | 'claim' | 'server'
  readonly id: string
  /** Of the certificate that proved the identity. */
  readonly serial?: string
  /** Of the peer. */
  readonly address?: string
}
