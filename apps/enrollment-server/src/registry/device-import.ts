import { canonicalJson } from '@fleetroot/service/audit'
import type { Actor, DeviceRecord } from './records.ts'
import type { NewDevice, RegistryOperations } from './registry.ts'

/** The operation that adds many devices. */
export interface ImportOperations {
  /**
   * Adds devices in one transaction, and answers for each in their order. One that is there as it should be is unchanged; one
   * that is there and differs stays as it is. With `isDry` nothing is added, and devices of the same call are not compared.
   */
  importDevices(input: {
    devices: readonly Omit<NewDevice, 'createdAtMs' | 'by'>[]
    atMs: number
    by: Actor
    isDry: boolean
  }): ImportOutcome[]
}

/** What became of a device of an import; the names of the fields that differ, where the id is taken. */
export type ImportOutcome = 'added' | 'unchanged' | readonly string[]

/** The operation of {@link ImportOperations} on the operations on single devices. */
export function importOperations({
  addDevice,
  findDevice,
}: Pick<RegistryOperations, 'addDevice' | 'findDevice'>): ImportOperations {
  return {
    importDevices: ({ devices, atMs, by, isDry }) =>
      devices.map((device): ImportOutcome => {
        const present = findDevice(device.id)
        if (present) {
          const different = differences(device, present)
          return different.length === 0 ? 'unchanged' : different
        }
        if (isDry || addDevice({ ...device, createdAtMs: atMs, by })) return 'added'
        // The id is free, and something else that must be unique is not.
        return ['idevid']
      }),
  }
}

const fields = ['profile', 'dns', 'ip', 'labels', 'batch', 'idevid'] as const

/** The fields in which a device of the inventory is not what an import says. */
export function differences(
  wanted: Partial<Record<(typeof fields)[number], unknown>>,
  present: Partial<Record<(typeof fields)[number], unknown>> | DeviceRecord,
): string[] {
  const text = (value: unknown): string =>
    value === undefined ? '' : canonicalJson(value as Parameters<typeof canonicalJson>[0])
  const other = present as Partial<Record<string, unknown>>
  return fields.filter((field) => text(wanted[field]) !== text(other[field]))
}
