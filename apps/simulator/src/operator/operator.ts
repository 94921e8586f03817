import type { DataDirectory } from '@fleetroot/service'
import { clientTlsOptions, enrollmentServer, loadIdentity, loadTrust } from '@fleetroot/tls-config'
import { describeThrown } from '../accounting/failures.ts'
import { SimulatorError } from '../error.ts'
import { type DeviceRegistry, deviceRegistry } from './registry.ts'
import { createRestClient } from './rest.ts'

/** The operator of the enrollment server whose data directory this is. */
export interface Operator extends DeviceRegistry {
  /** Trust anchors of the fleet, PEM. */
  readonly trust: readonly string[]
  close(): void
}

/**
 * Opens REST as operator with what the enrollment server left in its data directory. Throws SimulatorError
 * `data-missing` when trust anchor or operator certificate are not there or not valid (any more).
 */
export function openOperator(options: { data: DataDirectory; url: string; signal: AbortSignal }): Operator {
  const { data, url, signal } = options
  const { trust, identity } = readFiles(data)
  const tls = clientTlsOptions({ trust, identity, mode: 'compatible', server: enrollmentServer })
  const rest = createRestClient({ url, tls, signal })
  return { ...deviceRegistry(rest), trust, close: () => rest.close() }
}

function readFiles(data: DataDirectory) {
  try {
    return {
      trust: loadTrust(data.file('public/root.crt')).map((anchor) => anchor.pem),
      identity: loadIdentity(
        { certFile: data.file('operator/cert.pem'), keyFile: data.file('operator/key.pem') },
        new Date(),
      ),
    }
  } catch (thrown) {
    const { message } = describeThrown(thrown)
    throw new SimulatorError(
      'data-missing',
      `the data directory ${data.path} is not that of a running enrollment server: ${message}; set FLEETROOT_DATA to the one that it uses`,
      { cause: thrown },
    )
  }
}
