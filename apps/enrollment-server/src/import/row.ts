import type { Profile } from '@fleetroot/pki'
import { isManagedId } from '../admission/inventory.ts'
import type { ProblemCode } from '../problem/codes.ts'
import type { NewDevice } from '../registry/registry.ts'
import { fieldComplaint } from '../rest/complaint.ts'
import { nameComplaints } from '../rest/device-names.ts'
import { newDevice } from '../rest/device.ts'
import type { RowError } from './report.ts'

/** A device as a row wants it, or what is wrong with the row. */
export type JudgedRow =
  | { readonly ok: true; readonly device: Omit<NewDevice, 'createdAtMs' | 'by'> }
  | {
      readonly ok: false
      readonly id?: string
      readonly code: ProblemCode
      readonly errors: readonly RowError[]
    }

const mostErrors = 5

/** Returns the function that judges rows by what `POST /v1/devices` takes. */
export function rowJudge(profiles: ReadonlyMap<string, Profile>): (value: unknown) => JudgedRow {
  const schema = newDevice(profiles)
  return (value) => {
    const id = shownId(value)
    const refuse = (code: ProblemCode, errors: readonly RowError[]): JudgedRow => ({
      ok: false,
      ...(id !== undefined && { id }),
      code,
      errors: errors.slice(0, mostErrors),
    })
    const parsed = schema.safeParse(value, { error: fieldComplaint })
    if (!parsed.success) {
      return refuse(
        'field-invalid',
        parsed.error.issues.map(({ path, message }) => ({
          ...(path.length > 0 && { field: path.join('.').slice(0, 100) }),
          message,
        })),
      )
    }
    const device = parsed.data
    if (isManagedId(device.id))
      return refuse('device-managed', [{ field: 'id', message: 'is the server’s own' }])
    const complaints = nameComplaints(device, profiles)
    return complaints.length > 0 ? refuse('field-invalid', complaints) : { ok: true, device }
  }
}

/** The id as it was written, so that the row can be found again. */
function shownId(value: unknown): string | undefined {
  const { id } = (typeof value === 'object' && value !== null ? value : {}) as { id?: unknown }
  return typeof id === 'string' ? id.slice(0, 80) : undefined
}
