import type { Command } from '../command/command.ts'

/** Commands on one-time tokens. */
export const tokenCommands: readonly Command[] = [
  {
    path: ['token', 'create'],
    summary: 'make a one-time token for a device; it is shown this once',
    details:
      'Standard output has the token and nothing else. Whoever has it can become this device, once, until it ends.',
    args: [{ name: 'ID', required: true }],
    options: ['expires'],
    server: true,
    examples: ['TOKEN=$(fleetctl token create pump-7 --expires 1h)'],
    load: async () => (await import('./create.ts')).createToken,
  },
]
