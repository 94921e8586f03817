import {
  type DeviceConnection,
  type IdentityStore,
  openIdentityStore,
  type StoredIdentity,
} from '@fleetroot/device-client'
import type { DeviceId } from '@fleetroot/pki'
import type { DataDirectory } from '@fleetroot/service'
import { publishOffset } from '../schedule/arrivals.ts'
import { type Station, createStation } from '../sensor/station.ts'

/** One device of the fleet: what it is, and how far it came. */
export interface FleetDevice {
  readonly id: DeviceId
  readonly station: Station
  /** Where it keeps its key and certificate. */
  readonly store: IdentityStore
  /** When within each interval it publishes, in milliseconds. */
  readonly offsetMs: number
  /** With which it may enroll; taken away when it is used. */
  token: string | undefined
  identity: StoredIdentity | undefined
  connection: DeviceConnection | undefined
  /** Number of its last message. */
  sequence: number
}

/** The devices of a fleet before anything has happened to them. All of them follow from seed and ids. */
export function createDevices(options: {
  ids: readonly DeviceId[]
  seed: number
  intervalMs: number
  data: DataDirectory
}): FleetDevice[] {
  const { ids, seed, intervalMs, data } = options
  return ids.map((id) => ({
    id,
    station: createStation(seed, id),
    store: openIdentityStore(data.file('simulator', 'devices', id)),
    offsetMs: publishOffset({ seed, deviceId: id, intervalMs }),
    token: undefined,
    identity: undefined,
    connection: undefined,
    sequence: 0,
  }))
}
