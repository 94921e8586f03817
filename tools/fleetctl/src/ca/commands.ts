import type { Command } from '../command/command.ts'

const id = { name: 'ID', required: true }
const offline =
  'With --root-key the root signs here, on the machine where its key is, and the key stays there.'

/** Commands on the hierarchy. */
export const caCommands: readonly Command[] = [
  {
    path: ['ca', 'list'],
    summary: 'list the CAs that are trusted, and what each is doing',
    details:
      'States: introduced (trusted, does not issue yet), issuing, retiring (trusted, issues no more). ' +
      'One that is retired is trusted by nobody and is not listed.',
    server: true,
    load: async () => (await import('./list.ts')).listAuthorities,
  },
  {
    path: ['ca', 'show'],
    summary: 'describe the certificate of a CA',
    args: [id],
    options: ['pem'],
    server: true,
    examples: ['fleetctl ca show root --pem > root.crt'],
    load: async () => (await import('./show.ts')).showAuthority,
  },
  {
    path: ['ca', 'rotate', 'issuing'],
    summary: 'introduce a new issuing CA, which takes over when everybody can know it',
    details: `Certificates of the old one stay good until it is retired. ${offline}`,
    args: [{ name: 'KIND', required: true, choices: ['devices', 'services'] }],
    options: ['introduce-for', 'root-key', 'passphrase-file'],
    server: true,
    examples: [
      'fleetctl ca rotate issuing devices',
      'fleetctl ca rotate issuing devices --root-key /media/safe/root.key',
    ],
    load: async () => (await import('./rotate-issuing.ts')).rotateIssuing,
  },
  {
    path: ['ca', 'rotate', 'root'],
    summary: 'introduce a new root, certified by the old one, and the old one by it',
    details:
      `The issuing CAs keep their keys and are certified again, so that no device loses its certificate. ${offline} ` +
      'The new root then is made here too, in the directory that --out names.',
    options: ['introduce-for', 'root-key', 'passphrase-file', 'new-passphrase-file', 'out'],
    server: true,
    examples: [
      'fleetctl ca rotate root --introduce-for 7d',
      'fleetctl ca rotate root --root-key /media/safe/root.key --out /media/safe/next',
    ],
    load: async () => (await import('./rotate-root.ts')).rotateRoot,
  },
  {
    path: ['ca', 'activate'],
    summary: 'let an introduced CA take over now, without waiting for its time',
    args: [id],
    server: true,
    load: async () => (await import('./change.ts')).activateAuthority,
  },
  {
    path: ['ca', 'retire'],
    summary: 'stop trusting a CA, everywhere and for ever',
    details: 'Refused while unexpired certificates of it are in use, unless --force says that they may fail.',
    args: [id],
    options: ['force'],
    server: true,
    load: async () => (await import('./change.ts')).retireAuthority,
  },
  {
    path: ['ca', 'export-root'],
    summary: 'copy the root key, encrypted, and its certificate to a directory',
    details:
      'Works on the data directory of this machine: a root key never travels over the network. The copy is read back and ' +
      'opened before anything else happens. With --remove the key is then taken off this machine, which no running ' +
      'server needs; rotations go on with --root-key. Without --new-passphrase-file the copy opens with the passphrase ' +
      'that it has here.',
    args: [
      { name: 'DIR', required: true, isPath: true },
      { name: 'ID', required: false },
    ],
    options: ['remove', 'passphrase-file', 'new-passphrase-file', 'data'],
    examples: ['fleetctl ca export-root /media/safe --new-passphrase-file safe.txt --remove'],
    load: async () => (await import('./export-root.ts')).exportRoot,
  },
]
