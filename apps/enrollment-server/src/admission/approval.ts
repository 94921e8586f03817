import type { DeviceId } from '@fleetroot/pki'
import type { Refusal } from '../problem/refusal.ts'
import type { ApprovalRecord, DeviceRecord } from '../registry/records.ts'
import { isManagedId } from './inventory.ts'

/** What a request without a credential is worth: what was decided about its key, or the right to ask. */
export type Asked = 'approved' | 'ask' | Refusal

/**
 * Judges a request without a credential by what an operator has said of its key. Only a device that the inventory does not know
 * may ask: one that is in it has, or gets, a better credential, and an approval must never give its id to another key.
 * @param retryAfterSeconds when a device that waits should ask again
 */
export function judgeAsking(
  approval: ApprovalRecord | undefined,
  id: DeviceId,
  device: DeviceRecord | undefined,
  retryAfterSeconds: number,
): Asked {
  if (approval && approval.deviceId !== id) {
    return {
      code: 'csr-common-name-other',
      detail: `csr: this key has asked for the id ${approval.deviceId}; ask for that again, or make another key`,
    }
  }
  switch (approval?.state) {
    case 'approved':
      return 'approved'
    case 'denied':
      return {
        code: 'approval-denied',
        detail: `approval: an operator denied it; it may ask again after ${new Date(approval.expiresAtMs).toISOString()}`,
      }
    case 'pending':
      return pending(retryAfterSeconds)
    case undefined:
    default:
  }
  if (isManagedId(id)) return { code: 'device-managed', detail: `id: ${id} is the server's own` }
  if (!device) return 'ask'
  return {
    code: 'credential-missing',
    detail: `Authorization: send Basic and the base64 of id:token; ${id} is in the inventory, nothing is to be approved`,
  }
}

/** That an operator has not decided yet. */
export function pending(retryAfterSeconds: number): Refusal {
  return {
    code: 'approval-pending',
    detail: 'approval: an operator has to approve it; ask again with the same key',
    retryAfterSeconds,
  }
}
