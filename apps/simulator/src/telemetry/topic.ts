import { type DeviceId, isDeviceId } from '@fleetroot/pki'

/** What a topic below `devices/` carries. The broker's policy binds the id in it to the sender's certificate. */
export type FleetTopic =
  | { readonly kind: 'telemetry'; readonly device: DeviceId }
  | { readonly kind: 'command'; readonly device: DeviceId; readonly command: string }
  | { readonly kind: 'result'; readonly device: DeviceId; readonly command: string }

/** `devices/<id>/telemetry/<station>`. */
export function telemetryTopic(device: DeviceId, station: string): string {
  return `devices/${device}/telemetry/${station}`
}

/** `devices/<id>/commands/<command>`: only a service may publish there. */
export function commandTopic(device: DeviceId, command: string): string {
  return `devices/${device}/commands/${command}`
}

/** What `topic` carries; undefined for topics that this simulator does not use. */
export function readTopic(topic: string): FleetTopic | undefined {
  const [root, device, branch, name, leaf, ...rest] = topic.split('/')
  if (root !== 'devices' || device === undefined || !isDeviceId(device)) return undefined
  if (name === undefined || name === '' || rest.length > 0) return undefined
  if (branch === 'telemetry') return leaf === undefined ? { kind: 'telemetry', device } : undefined
  if (branch !== 'commands') return undefined
  if (leaf === undefined) return { kind: 'command', device, command: name }
  return leaf === 'result' ? { kind: 'result', device, command: name } : undefined
}
