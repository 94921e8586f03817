import { parseCertificate } from '@fleetroot/pki'
import type { Credential } from '../admission/credential.ts'
import type { DeviceRecord } from '../registry/records.ts'
import type { Registry } from '../registry/registry.ts'
import type { PresentedCredential } from './request.ts'

/** A credential as the registry knows it, and the device that it names. */
export interface Caller {
  readonly credential: Credential
  readonly device: DeviceRecord | undefined
}

/** Looks up what was presented. Decides nothing: what is not found is undefined. */
export async function identify(
  presented: PresentedCredential,
  registry: Pick<Registry, 'findToken' | 'findCertificate' | 'findDevice'>,
): Promise<Caller> {
  switch (presented.kind) {
    case 'token': {
      const found = await registry.findToken(presented.hash)
      return { credential: { ...presented, token: found?.token }, device: found?.device }
    }
    case 'certificate': {
      const { kind, id, role, der } = presented
      const certificate = parseCertificate(der)
      const record = await registry.findCertificate(certificate.serial)
      return {
        credential: { kind, id, role, certificate, record },
        device: await registry.findDevice(id),
      }
    }
    case 'local':
      return { credential: presented, device: await registry.findDevice(presented.id) }
    default:
      return presented satisfies never
  }
}
