import type { Command } from '../command/command.ts'

const id = { name: 'ID', required: true }

/** Commands on devices that ask without a credential. */
export const approvalCommands: readonly Command[] = [
  {
    path: ['approval', 'list'],
    summary: 'list the devices that wait for a decision',
    options: ['all', 'limit'],
    server: true,
    load: async () => (await import('./list.ts')).listApprovals,
  },
  {
    path: ['approval', 'get'],
    summary: 'show what a device asks for',
    args: [id],
    server: true,
    load: async () => (await import('./get.ts')).getApproval,
  },
  {
    path: ['approval', 'approve'],
    summary: 'register the device, whose key then gets its certificate',
    details:
      'ID is the SHA-256 of its public key. Compare it with what the device shows, or its delivery note says: the device id beside it is ' +
      'what somebody has asked for, and anybody can.',
    args: [id],
    options: ['label'],
    server: true,
    load: async () => (await import('./decide.ts')).approve,
  },
  {
    path: ['approval', 'deny'],
    summary: 'refuse the key until this is forgotten',
    args: [id],
    server: true,
    load: async () => (await import('./decide.ts')).deny,
  },
]
