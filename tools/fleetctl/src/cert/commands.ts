import type { Command } from '../command/command.ts'

/** Commands on certificates. */
export const certCommands: readonly Command[] = [
  {
    path: ['cert', 'list'],
    summary: 'list certificates in the order of their issuance',
    options: ['device', 'status', 'limit'],
    server: true,
    examples: ['fleetctl cert list --device pump-7', 'fleetctl cert list --status revoked --limit 0'],
    load: async () => (await import('./list.ts')).listCertificates,
  },
  {
    path: ['cert', 'get'],
    summary: 'show what the server knows of a certificate',
    args: [{ name: 'SERIAL', required: true }],
    options: ['pem'],
    server: true,
    examples: ['fleetctl cert get 1f:0a:… --pem > pump-7.crt'],
    load: async () => (await import('./get.ts')).getCertificate,
  },
  {
    path: ['cert', 'revoke'],
    summary: 'revoke certificates by serial number, for good',
    details:
      'Each is answered for by itself: what could not be revoked is listed with the reason, and the exit status is 1. ' +
      'To revoke everything that a device has, use device revoke; to stop it for a while, device suspend.',
    args: [{ name: 'SERIAL', required: false, many: true }],
    options: ['from', 'reason'],
    server: true,
    examples: [
      'fleetctl cert revoke 1f0a2b… --reason keyCompromise',
      'fleetctl cert list --device pump-7 | cut -f1 | fleetctl cert revoke --from - --yes',
    ],
    load: async () => (await import('./revoke.ts')).revokeCertificates,
  },
  {
    path: ['cert', 'inspect'],
    summary: 'describe the certificates in a file, PEM or DER',
    args: [{ name: 'FILE', required: true, isPath: true }],
    load: async () => (await import('./inspect.ts')).inspectCertificates,
  },
]
