import { type DeviceId, parseDeviceId } from '@fleetroot/pki'

/** `PREFIX-0001` to `PREFIX-NNNN`; more digits when the fleet needs them. The same fleet has the same ids. */
export function deviceIds(prefix: string, devices: number): DeviceId[] {
  const digits = Math.max(4, String(devices).length)
  return Array.from({ length: devices }, (_, index) =>
    parseDeviceId(`${prefix}-${String(index + 1).padStart(digits, '0')}`),
  )
}
