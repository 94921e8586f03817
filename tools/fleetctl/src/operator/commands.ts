import type { Command } from '../command/command.ts'

/** Commands on the operator certificate. */
export const operatorCommands: readonly Command[] = [
  {
    path: ['operator', 'show'],
    summary: 'show the certificate that this command line uses, and until when',
    server: true,
    load: async () => (await import('./show.ts')).showOperator,
  },
  {
    path: ['operator', 'renew'],
    summary: 'renew it now',
    details: 'Every command renews it by itself when two thirds of its life are over.',
    server: true,
    load: async () => (await import('./renew.ts')).renew,
  },
]
