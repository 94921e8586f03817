import { readFile } from 'node:fs/promises'
import {
  createEstClient,
  enrollDevice,
  type IdentityStore,
  openIdentityStore,
  type StoredIdentity,
  type Trust,
} from '@fleetroot/device-client'
import { parseDeviceId } from '@fleetroot/pki'
import type { DataDirectory } from '@fleetroot/service'
import { describeThrown } from '../accounting/failures.ts'
import { SimulatorError } from '../error.ts'
import type { Operator } from '../operator/operator.ts'

/** Id of the `service` certificate with which the simulator counts and commands. */
const serviceId = parseDeviceId('simulator')

/**
 * The simulator's own identity: the stored one, else a new one for the bootstrap token that the enrollment
 * server left in its data directory, else, when that was used before, for a token made by the operator.
 * Throws SimulatorError `service-identity-failed`.
 */
export async function serviceIdentity(options: {
  data: DataDirectory
  enrollmentUrl: string
  operator: Operator
  trust: Trust
  signal: AbortSignal
}): Promise<{ identity: StoredIdentity; store: IdentityStore; reused: boolean }> {
  const { data, enrollmentUrl, operator, trust, signal } = options
  const est = createEstClient({ url: enrollmentUrl, trust })
  const store = openIdentityStore(await data.directory('simulator', 'identity'))
  const enroll = async (token: string) => {
    const { identity, reused } = await enrollDevice({
      id: serviceId,
      est,
      store,
      credential: { token },
      signal,
      // Renewed once it is connected with.
      whenDue: 'keep',
    })
    return { identity, reused, store }
  }
  try {
    // A second simulator on this data directory would spend the same token for another key.
    return await data.locked(
      'simulator/identity',
      async () => {
        const bootstrap = await bootstrapToken(data)
        try {
          if (bootstrap !== undefined) return await enroll(bootstrap)
        } catch (thrown) {
          if (describeThrown(thrown).code !== 'credential-refused') throw thrown
        }
        return enroll(await operator.makeToken(serviceId, 300))
      },
      { signal },
    )
  } catch (thrown) {
    const { code, message } = describeThrown(thrown)
    if (code === 'tls-failed') {
      throw new SimulatorError(
        'data-missing',
        `${enrollmentUrl} is not the enrollment server of the data directory ${data.path}; set FLEETROOT_DATA to the one that it uses (${message})`,
        { cause: thrown },
      )
    }
    throw new SimulatorError(
      'service-identity-failed',
      `the simulator cannot get its own certificate: ${message}`,
      {
        cause: thrown,
      },
    )
  } finally {
    est.close()
  }
}

async function bootstrapToken(data: DataDirectory): Promise<string | undefined> {
  try {
    const token = await readFile(data.file('bootstrap/simulator.token'), 'utf8')
    return token.trim() === '' ? undefined : token.trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
