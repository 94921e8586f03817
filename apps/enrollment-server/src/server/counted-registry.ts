import type { DeviceChange } from '../lifecycle/transition.ts'
import type { Registry } from '../registry/registry.ts'
import type { CertificateAction, Metrics } from './metrics.ts'

const actionOf: Readonly<Record<DeviceChange, CertificateAction>> = {
  revoke: 'revoked',
  retire: 'revoked',
  suspend: 'held',
  resume: 'released',
}

/** The registry, with what ends or interrupts the life of certificates counted. */
export function countedRegistry(
  registry: Registry,
  { certificates }: Pick<Metrics, 'certificates'>,
): Registry {
  return {
    ...registry,
    changeDevice: async (request) => {
      const outcome = await registry.changeDevice(request)
      if (outcome.ok) certificates(actionOf[request.change], outcome.certificates)
      return outcome
    },
    revokeCertificate: async (request) => {
      const outcome = await registry.revokeCertificate(request)
      if (outcome === 'revoked') certificates('revoked')
      return outcome
    },
    revokeAll: async (request) => {
      const outcome = await registry.revokeAll(request)
      certificates('revoked', outcome.certificates)
      return outcome
    },
  }
}
