import type { DatabaseSync } from 'node:sqlite'
import { createApprovalTable } from './approval-table.ts'
import { createAuditLog } from './audit-log.ts'
import { authorityOperations } from './authority-table.ts'
import { certificateOperations } from './certificate-table.ts'
import { createClaimTable } from './claim-table.ts'
import { importOperations } from './device-import.ts'
import { deviceOperations } from './device-table.ts'
import { createEventLog } from './event-log.ts'
import { expecting } from './expectation.ts'
import { lifecycleOperations } from './lifecycle.ts'
import type { RegistryOperations } from './registry.ts'
import { requestOperations } from './request-table.ts'
import { createRevocationTable } from './revocation-table.ts'
import { createSuccessionTable } from './succession-table.ts'
import { tokenOperations } from './token-table.ts'

const writes = {
  addDevice: true,
  importDevices: true,
  renameDevice: true,
  findDevice: false,
  findDeviceOfManufacturer: false,
  listDevices: false,
  addToken: true,
  makeOnce: true,
  beginOnce: true,
  finishOnce: true,
  forgetOnce: true,
  findToken: false,
  recordCertificate: true,
  findCertificate: false,
  findKeyHolder: false,
  isLeftBehind: false,
  listCertificates: false,
  addClaim: true,
  findClaim: false,
  listClaims: false,
  findClaimUse: false,
  askApproval: true,
  findApproval: false,
  listApprovals: false,
  decideApproval: true,
  changeDevice: true,
  revokeCertificate: true,
  revokeAll: true,
  activateCertificates: true,
  supersedeOverdue: true,
  startCrl: true,
  lapsedRevocations: false,
  listEvents: false,
  eventHeads: false,
  pruneEvents: true,
  recordAuthorityChanges: true,
  countHolders: false,
  appendAudit: true,
  listAudit: false,
  auditHead: false,
} as const satisfies Record<keyof RegistryOperations, boolean>

/** The name of every operation. */
export const operationNames = Object.keys(writes) as (keyof RegistryOperations)[]

/** The operations that change something: each needs a transaction that is committed before it is answered. */
export const writingOperations: ReadonlySet<keyof RegistryOperations> = new Set(
  operationNames.filter((name) => writes[name]),
)

/** Every operation on a database, each for the caller's transaction. */
export function registryOperations(database: DatabaseSync): RegistryOperations {
  const audit = createAuditLog(database)
  const events = createEventLog(database)
  const revocations = createRevocationTable(database)
  const claims = createClaimTable(database, audit.append)
  const devices = deviceOperations(database, audit.append)
  const tokens = tokenOperations(database, audit.append)
  const approvals = createApprovalTable(database, {
    appendAudit: audit.append,
    addDevice: devices.addDevice,
  })
  const successions = createSuccessionTable(database, audit.append)
  const journal = {
    appendEvent: events.append,
    appendAudit: audit.append,
    revocations: revocations.writer,
  }
  return expecting({
    ...devices,
    ...importOperations(devices),
    ...tokens,
    ...requestOperations(database, { ...devices, ...tokens }),
    ...claims.operations,
    ...approvals.operations,
    ...certificateOperations(database, {
      ...journal,
      useClaim: claims.use,
      useApproval: approvals.use,
      noteSuccession: successions.note,
    }),
    ...lifecycleOperations(database, journal),
    ...authorityOperations(database, journal),
    ...revocations.operations,
    ...successions.operations,
    ...events.operations,
    ...audit.operations,
  })
}
