import type { Command } from '../command/command.ts'

const id = { name: 'ID', required: true }

/** Commands on devices. */
export const deviceCommands: readonly Command[] = [
  {
    path: ['device', 'add'],
    summary: 'register a device',
    args: [id],
    options: ['profile', 'dns', 'ip', 'label', 'batch', 'idevid'],
    server: true,
    examples: [
      'fleetctl device add pump-7 --label site=north',
      'fleetctl device add gateway-1 --profile service --dns gateway-1.example',
    ],
    load: async () => (await import('./add.ts')).addDevice,
  },
  {
    path: ['device', 'import'],
    summary: 'register the devices of a file, CSV or NDJSON',
    details:
      'What is there already is unchanged, so that a file can be imported again. Rows that are refused are listed with line and field, ' +
      'the others are added, and the exit status is 1. Columns of CSV: id, profile, batch, dns, ip, idevid.manufacturer, ' +
      'idevid.serialNumber and label.NAME.',
    args: [{ name: 'FILE', required: true, isPath: true }],
    options: ['dry-run'],
    server: true,
    examples: ['fleetctl device import fleet.csv --dry-run', 'fleetctl device import - < fleet.ndjson'],
    load: async () => (await import('./import.ts')).importFile,
  },
  {
    path: ['device', 'list'],
    summary: 'list devices in the order of their ids',
    details:
      'Services, operators and claims are in the inventory, too: --role, --profile or --all shows them.',
    options: ['state', 'role', 'profile', 'all', 'limit'],
    server: true,
    examples: [
      'fleetctl device list --state suspended',
      'fleetctl device list --role service',
      'fleetctl device list --json --limit 0',
    ],
    load: async () => (await import('./list.ts')).listDevices,
  },
  {
    path: ['device', 'get'],
    summary: 'show a device',
    args: [id],
    server: true,
    load: async () => (await import('./get.ts')).getDevice,
  },
  {
    path: ['device', 'suspend'],
    summary: 'put its certificates on hold and end its session, until it is resumed',
    details: 'The brake: it asks nothing, takes effect within a second, and resume takes it back.',
    args: [id],
    server: true,
    load: async () => (await import('./change.ts')).suspendDevice,
  },
  {
    path: ['device', 'resume'],
    summary: 'take a suspension back',
    args: [id],
    server: true,
    load: async () => (await import('./change.ts')).resumeDevice,
  },
  {
    path: ['device', 'retire'],
    summary: 'revoke its certificates and use up its id, for ever',
    args: [id],
    server: true,
    load: async () => (await import('./change.ts')).retireDevice,
  },
  {
    path: ['device', 'revoke'],
    summary: 'revoke all certificates of devices; they may enroll again with new tokens',
    details:
      'Several are answered for one by one: what could not be revoked is listed, and the exit status is 1.',
    args: [{ name: 'ID', required: false, many: true }],
    options: ['reason', 'from'],
    server: true,
    examples: [
      'fleetctl device revoke pump-7 --reason keyCompromise',
      'fleetctl device revoke --from stolen.txt --reason keyCompromise --yes',
    ],
    load: async () => (await import('./revoke.ts')).revokeDevices,
  },
]
