import type { Command } from '../command/command.ts'

/** Commands on the audit. */
export const auditCommands: readonly Command[] = [
  {
    path: ['audit', 'tail'],
    summary: 'show the last decisions, and with -f those that come',
    options: ['lines', 'follow'],
    server: true,
    details: 'With --json each record is one line: {"record": …, "hash": …}.',
    examples: ['fleetctl audit tail -n 20', 'fleetctl audit tail -f --json'],
    load: async () => (await import('./tail.ts')).tailAudit,
  },
  {
    path: ['audit', 'verify'],
    summary: 'prove that no record was changed, removed or moved',
    details:
      'Reads the audit of the server, or a file that audit export wrote, and computes every hash again. ' +
      'Note the head that it prints down in another place: given with --head, a chain whose end was cut off, or that ' +
      'was written anew, is found as well.',
    args: [{ name: 'FILE', required: false, isPath: true }],
    options: ['head', 'since'],
    server: true,
    examples: ['fleetctl audit verify', 'fleetctl audit verify audit.ndjson --head 1234:9f86d0…'],
    load: async () => (await import('./verify.ts')).verifyAudit,
  },
  {
    path: ['audit', 'export'],
    summary: 'write the audit to a file, one record a line; - writes to standard output',
    args: [{ name: 'FILE', required: true, isPath: true }],
    options: ['since'],
    server: true,
    details:
      'A file that is there is not replaced. With --since it has only what follows; verify it with the same flag.',
    examples: [
      'fleetctl audit export audit.ndjson',
      'fleetctl audit export more.ndjson --since 1234:9f86d0…',
    ],
    load: async () => (await import('./export.ts')).exportAudit,
  },
]
