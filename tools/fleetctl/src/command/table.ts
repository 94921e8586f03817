import { approvalCommands } from '../approval/commands.ts'
import { auditCommands } from '../audit/commands.ts'
import { caCommands } from '../ca/commands.ts'
import { certCommands } from '../cert/commands.ts'
import { claimCommands } from '../claim/commands.ts'
import { completionCommands } from '../completion/commands.ts'
import { deviceCommands } from '../device/commands.ts'
import { operatorCommands } from '../operator/commands.ts'
import { policyCommands } from '../policy/commands.ts'
import { tokenCommands } from '../token/commands.ts'
import type { CommandTable } from './command.ts'

/** Every command of fleetctl. Help, completion, parsing and docs/fleetctl.md all go by it. */
export const table: CommandTable = {
  groups: [
    { path: ['device'], summary: 'the inventory: register, find, suspend, retire' },
    { path: ['token'], summary: 'one-time tokens with which devices enroll' },
    { path: ['cert'], summary: 'certificates: list, look at, revoke' },
    { path: ['claim'], summary: 'certificates with which the devices of a production batch enroll' },
    { path: ['approval'], summary: 'devices that ask without a credential, and wait' },
    { path: ['ca'], summary: 'the root and the issuing CAs' },
    { path: ['ca', 'rotate'], summary: 'replace a CA while the fleet is connected' },
    { path: ['audit'], summary: 'the chain of all decisions' },
    { path: ['policy'], summary: 'who may publish and subscribe to what' },
    { path: ['operator'], summary: 'the certificate that this command line uses' },
  ],
  commands: [
    ...deviceCommands,
    ...tokenCommands,
    ...certCommands,
    ...claimCommands,
    ...approvalCommands,
    ...caCommands,
    ...auditCommands,
    ...policyCommands,
    ...operatorCommands,
    ...completionCommands,
  ],
}
