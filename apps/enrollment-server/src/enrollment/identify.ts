import { parseCertificate, type Profile } from '@fleetroot/pki'
import type { Credential, Grace } from '../admission/credential.ts'
import { type Manufacturer, proveIdevid } from '../admission/idevid.ts'
import type { CertificateRecord, DeviceRecord } from '../registry/records.ts'
import type { Registry } from '../registry/registry.ts'
import type { PresentedCredential } from './request.ts'

/** A credential as the registry knows it, and the device that it names. */
export interface Caller {
  readonly credential: Credential
  readonly device: DeviceRecord | undefined
}

/** What credentials are looked at with. */
export interface IdentifyingBy {
  readonly profiles: ReadonlyMap<string, Profile>
  readonly manufacturers: readonly Manufacturer[]
  readonly now: Date
}

/** Looks up what was presented. Decides nothing: what is not found is undefined. */
export async function identify(
  presented: PresentedCredential,
  registry: Pick<
    Registry,
    'findToken' | 'findCertificate' | 'findDevice' | 'findDeviceOfManufacturer' | 'findClaim' | 'isLeftBehind'
  >,
  { profiles, manufacturers, now }: IdentifyingBy,
): Promise<Caller> {
  switch (presented.kind) {
    case 'token': {
      const found = await registry.findToken(presented.hash)
      return { credential: { ...presented, token: found?.token }, device: found?.device }
    }
    case 'certificate': {
      const { kind, id, role, der, isLate } = presented
      const certificate = parseCertificate(der)
      const record = await registry.findCertificate(certificate.serial)
      return {
        credential: {
          kind,
          id,
          role,
          certificate,
          record,
          ...(isLate && { grace: await graceOf(record, registry, profiles) }),
        },
        device: await registry.findDevice(id),
      }
    }
    case 'claim': {
      const { kind, id, der } = presented
      const certificate = parseCertificate(der)
      const record = await registry.findCertificate(certificate.serial)
      // Whose device it is, only the CSR says.
      const credential = { kind, id, certificate, record, claim: await registry.findClaim(id) } as const
      return { credential, device: undefined }
    }
    case 'idevid': {
      const { kind, chain, isResumed } = presented
      const proof = proveIdevid(chain, manufacturers, now)
      if (!proof.ok) {
        // A ticket carries the certificate of the device, and not those of the CAs above it.
        const detail = isResumed ? `${proof.detail}; connect without resuming a TLS session` : proof.detail
        return { credential: { kind, proof: { ok: false, detail }, id: undefined }, device: undefined }
      }
      const device = await registry.findDeviceOfManufacturer(proof)
      return { credential: { kind, proof, id: device?.id }, device }
    }
    case 'approval':
      // Whose key it is, only the CSR says.
      return { credential: { kind: 'approval', approval: undefined }, device: undefined }
    case 'operator':
    case 'local':
      return { credential: presented, device: await registry.findDevice(presented.id) }
    default:
      return presented satisfies never
  }
}

/** What the profile of an expired certificate, and what happened to its successors, leave of it. */
export async function graceOf(
  record: CertificateRecord | undefined,
  registry: Pick<Registry, 'isLeftBehind'>,
  profiles: ReadonlyMap<string, Profile>,
): Promise<Grace> {
  if (!record) return { lengthMs: 0, isLeftBehind: true }
  const lengthMs = (profiles.get(record.profile)?.renewalGraceSeconds ?? 0) * 1000
  return { lengthMs, isLeftBehind: await registry.isLeftBehind(record.serial) }
}
