import { buildChain, renewalDue, type StoredIdentity } from '@fleetroot/device-client'
import { type Certificate, parseCertificates } from '@fleetroot/pki'
import type { Census } from '../accounting/census.ts'
import { describeThrown } from '../accounting/failures.ts'
import type { Operator } from '../operator/operator.ts'
import { concurrencyLimit } from '../schedule/concurrency.ts'
import type { FleetDevice } from './device.ts'

const atOnce = 16

/** What preparing came to; what is missing to all devices failed. */
export interface Prepared {
  /** Devices with a new one-time token. */
  readonly tokens: number
  /** Of the identities that are reused, those due for renewal: they are renewed once they are connected with. */
  readonly due: number
}

/**
 * What happens before the devices arrive, as in a factory: devices that kept a valid identity from an
 * earlier run are counted as reused; all others are registered and given a one-time token each. A device
 * for which this fails has neither and is counted as a failure. Rejects when `signal` aborts.
 */
export async function prepare(options: {
  devices: readonly FleetDevice[]
  operator: Operator
  census: Census
  now: Date
  /** How long the tokens must hold, in seconds. */
  tokenSeconds: number
  signal: AbortSignal
}): Promise<Prepared> {
  const { devices, operator, census, now, tokenSeconds, signal } = options
  const limited = concurrencyLimit(atOnce)
  const trust = operator.trust.flatMap((pem) => parseCertificates(pem))
  let tokens = 0
  let due = 0

  async function prepareOne(device: FleetDevice): Promise<void> {
    const stored = await device.store.load()
    if (stored !== undefined && stored.id === device.id && isTrusted(stored, trust, now)) {
      if (now >= renewalDue(stored)) due++
      device.identity = stored
      census.reused++
      return
    }
    if (await operator.register(device.id)) census.registered++
    device.token = await operator.makeToken(device.id, tokenSeconds)
    tokens++
  }

  await Promise.all(
    devices.map((device) =>
      limited(async () => {
        signal.throwIfAborted()
        try {
          await prepareOne(device)
        } catch (thrown) {
          const { code, message } = describeThrown(thrown)
          census.failures.add({ device: device.id, phase: 'register', code, message })
        }
      }),
    ),
  )
  return { tokens, due }
}

/** An identity from before the authority was made anew, or that has expired, is worth nothing. */
function isTrusted(
  { certificate, chain }: StoredIdentity,
  trust: readonly Certificate[],
  now: Date,
): boolean {
  try {
    buildChain(certificate, { issuers: chain, trust, now })
    return true
  } catch {
    return false
  }
}
