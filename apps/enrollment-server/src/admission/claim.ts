import { type Csr, type DeviceId, isDeviceId } from '@fleetroot/pki'
import type { Refusal } from '../problem/refusal.ts'
import type { ClaimRecord, ClaimUse, DeviceRecord } from '../registry/records.ts'
import { retryWindowMs } from './inventory.ts'

/** The device that a CSR is for. Behind a claim nothing else says it. */
export function claimedId(csr: Csr): DeviceId | undefined {
  const { commonName } = csr
  return commonName !== undefined && isDeviceId(commonName) ? commonName : undefined
}

/**
 * Refuses a device that the claim is not for. An id that does not exist and one of another batch get the same
 * answer: nothing is learnt by trying ids.
 */
export function checkBatch(claim: ClaimRecord, device: DeviceRecord | undefined): Refusal | undefined {
  if (device?.batch === claim.batch) return undefined
  return {
    code: 'claim-not-for-device',
    detail: `csr: its CN is not a device of the batch ${claim.batch}; register it with that batch`,
  }
}

/** What a claim is worth to a device of its batch at this moment: a first certificate, the same one again, or none. */
export function claimOnce(
  claim: ClaimRecord,
  device: DeviceRecord,
  use: ClaimUse | undefined,
  publicKey: string,
  now: Date,
): 'first' | { readonly again: string } | Refusal {
  if (device.state !== 'registered') {
    const isRetry =
      use?.claim === claim.id && use.publicKey === publicKey && use.atMs > now.getTime() - retryWindowMs
    if (isRetry) return { again: use.serial }
    return {
      code: 'device-enrolled',
      detail: `id: ${device.id} has had a certificate; renew that one, or enroll with a token`,
    }
  }
  if (claim.used < claim.quota) return 'first'
  return {
    code: 'claim-exhausted',
    detail: `claim: ${claim.id} has enrolled ${claim.quota} devices, which is all that it is for`,
  }
}
