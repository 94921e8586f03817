import type { Command } from '../command/command.ts'

/** Commands on the broker's policy. */
export const policyCommands: readonly Command[] = [
  {
    path: ['policy', 'explain'],
    summary: 'say whether somebody may do something, and which rule decides',
    details:
      'Asks the function that the broker asks, of the policy file. Denied is exit status 1. ' +
      'connect takes a client id in the place of the topic.',
    args: [
      { name: 'ACTION', required: true, choices: ['publish', 'subscribe', 'receive', 'connect'] },
      { name: 'TOPIC', required: true },
    ],
    options: ['role', 'id', 'retain', 'o', 'ou', 'serial', 'policy', 'data'],
    examples: [
      'fleetctl policy explain --role device --id d1 publish devices/d2/x',
      'fleetctl policy explain --role service --id reader connect reader.2',
    ],
    load: async () => (await import('./explain.ts')).explainPolicy,
  },
  {
    path: ['policy', 'check'],
    summary: 'find the mistakes in a policy file before the broker does',
    args: [{ name: 'FILE', required: true, isPath: true }],
    load: async () => (await import('./check.ts')).checkPolicy,
  },
]
