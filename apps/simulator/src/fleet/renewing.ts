import { setTimeout as delay } from 'node:timers/promises'
import {
  createRenewals,
  type DeviceConnection,
  type EstClient,
  type IdentityStore,
  type StoredIdentity,
} from '@fleetroot/device-client'
import type { Census } from '../accounting/census.ts'
import { describeThrown } from '../accounting/failures.ts'
import type { Commander } from '../subscriber/commander.ts'
import type { Subscriber } from '../subscriber/subscriber.ts'
import type { FleetDevice } from './device.ts'

/** Keeps the certificates of a run valid while it lasts. */
export interface Renewing {
  /** Renews the device's identity whenever it is due, and moves its connection to the new one. */
  keepDevice(device: FleetDevice, identity: StoredIdentity, connection: DeviceConnection): void
  /** The same for the service that counts; not counted as a device. */
  keepSubscriber(service: { identity: StoredIdentity; store: IdentityStore }, subscriber: Subscriber): void
  /** Begins no renewal any more. */
  close(): Promise<void>
}

/** A renewal that is cut off at any step does no harm, so the end of a run does not wait for a slow server. */
const closeWithinMs = 1_000

/** Renewals of one run; `concurrency` of them are under way at once. */
export function createRenewing(options: {
  census: Census
  commander: Commander
  /** Asked by all of them, and the caller's to close. */
  est: EstClient
  concurrency: number
  /** The run is stopped from outside: servers may go away from now on, which is no failure. */
  stop: AbortSignal
}): Renewing {
  const { census, commander, est, concurrency, stop } = options
  const renewals = createRenewals({ maxAtOnce: concurrency })

  const failed = (device: string, thrown: unknown): void => {
    if (stop.aborted) return
    const { code, message } = describeThrown(thrown)
    census.failures.add({ device, phase: 'renew', code, message })
  }

  return {
    keepDevice(device, identity, connection) {
      renewals.keep({
        est,
        store: device.store,
        identity,
        probe: (staged) => {
          // Known before the device can answer a command with it.
          commander.expect({ id: device.id, serial: staged.certificate.serial })
          return connection.replaceIdentity(staged)
        },
        onRenewed: (next) => {
          device.identity = next
          census.renewed++
        },
        onFailure: (thrown) => failed(device.id, thrown),
        onExhausted: (thrown) => {
          census.exhausted++
          failed(device.id, thrown)
        },
      })
    },

    keepSubscriber({ identity, store }, subscriber) {
      const onFailure = (thrown: unknown): void => failed(identity.id, thrown)
      renewals.keep({
        est,
        store,
        identity,
        probe: (staged) => subscriber.replaceIdentity(staged),
        onFailure,
        onExhausted: onFailure,
      })
    },

    async close() {
      await Promise.race([renewals.close(), delay(closeWithinMs, undefined, { ref: false })])
    },
  }
}
