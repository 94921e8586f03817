import type { DeviceState } from '../registry/records.ts'

/** What an operator can do to a device and its certificates. */
export type DeviceChange = 'revoke' | 'suspend' | 'resume' | 'retire'

/** What a change makes of a device, or why it is refused. */
export type Transition =
  | {
      readonly ok: true
      /** The state afterwards. */
      readonly state: DeviceState
      /** What happens to its certificates that are valid, or on hold. */
      readonly certificates: 'revoke' | 'hold' | 'release' | 'keep'
    }
  | { readonly ok: false; readonly code: 'device-retired' }

/**
 * Decides what a change does to a device in a state; `suspendedFrom` is the state that a suspended device returns
 * to. A change that has happened already changes nothing and is not refused, so that it can be repeated when an
 * answer was lost. Nothing brings a retired device back.
 *
 *              revoke            suspend           resume            retire
 *     active   certs revoked     suspended, hold   –                 retired, certs revoked
 *     suspended certs revoked    –                 state before      retired, certs revoked
 *     retired  –                 refused           refused           –
 */
export function transition(
  state: DeviceState,
  change: DeviceChange,
  suspendedFrom: DeviceState = 'registered',
): Transition {
  switch (change) {
    case 'revoke':
      return { ok: true, state, certificates: 'revoke' }
    case 'retire':
      return { ok: true, state: 'retired', certificates: 'revoke' }
    case 'suspend':
      if (state === 'retired') return { ok: false, code: 'device-retired' }
      return { ok: true, state: 'suspended', certificates: 'hold' }
    case 'resume':
      if (state === 'retired') return { ok: false, code: 'device-retired' }
      if (state !== 'suspended') return { ok: true, state, certificates: 'keep' }
      return { ok: true, state: suspendedFrom, certificates: 'release' }
    default:
      return change satisfies never
  }
}
