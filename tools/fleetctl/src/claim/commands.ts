import type { Command } from '../command/command.ts'

const id = { name: 'ID', required: true }

/** Commands on claims. */
export const claimCommands: readonly Command[] = [
  {
    path: ['claim', 'create'],
    summary: 'make a claim certificate for a production batch',
    details:
      'Whoever has its key can enroll the devices that were registered for the batch, each once, up to the quota, and can ' +
      'do nothing else. The key is made here: --out gets key.pem and cert.pem. With --csr the key was made elsewhere, ' +
      'and the certificate goes to --out or to standard output. The same command again finishes what was interrupted.',
    args: [id],
    options: ['batch', 'quota', 'expires', 'out', 'csr'],
    server: true,
    examples: [
      'fleetctl device add pump-12 --batch 2030-07',
      'fleetctl claim create line-1 --batch 2030-07 --quota 500 --expires 30d --out line-1',
    ],
    load: async () => (await import('./create.ts')).createClaim,
  },
  {
    path: ['claim', 'list'],
    summary: 'list claims, and how much of each is used',
    options: ['limit'],
    server: true,
    load: async () => (await import('./list.ts')).listClaims,
  },
  {
    path: ['claim', 'get'],
    summary: 'show a claim',
    args: [id],
    server: true,
    load: async () => (await import('./get.ts')).getClaim,
  },
  {
    path: ['claim', 'revoke'],
    summary: 'revoke a claim for good; devices that it has enrolled keep their certificates',
    args: [id],
    options: ['reason'],
    server: true,
    load: async () => (await import('./revoke.ts')).revokeClaim,
  },
]
