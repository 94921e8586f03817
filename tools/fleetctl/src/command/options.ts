/** A flag. It means the same in every command that takes it, so that it can be read wherever it stands. */
export interface OptionSpec {
  readonly help: string
  /** What to write behind it; a flag without one is a switch. */
  readonly value?: string
  readonly short?: string
  /** May be given several times. */
  readonly multiple?: boolean
  /** All that its value may be. */
  readonly choices?: readonly string[]
  /** Its value is a path. */
  readonly isPath?: boolean
}

const reasons = [
  'unspecified',
  'keyCompromise',
  'cACompromise',
  'affiliationChanged',
  'superseded',
  'cessationOfOperation',
  'privilegeWithdrawn',
  'aACompromise',
]

/** Every flag, by its name. */
export const options = {
  help: { help: 'show help', short: 'h' },
  version: { help: 'show the version' },
  json: { help: 'answer in JSON, errors too' },
  yes: { help: 'do it without asking', short: 'y' },
  data: {
    help: 'data directory (FLEETROOT_DATA, default .fleetroot)',
    value: 'DIR',
    isPath: true,
  },
  url: {
    help: 'enrollment server (FLEETROOT_ENROLLMENT_URL, default https://localhost:8443; FLEETROOT_ENROLLMENT_PORT)',
    value: 'URL',
  },
  trust: {
    help: 'trust anchors, PEM (FLEETROOT_TRUST_FILE, default public/root.crt in the data directory)',
    value: 'FILE',
    isPath: true,
  },
  cert: {
    help: 'operator certificate, PEM (default operator/cert.pem in the data directory)',
    value: 'FILE',
    isPath: true,
  },
  key: {
    help: 'its key, PEM (default operator/key.pem in the data directory)',
    value: 'FILE',
    isPath: true,
  },
  // No choices: the server knows which profiles there are, its operator’s own too.
  profile: { help: 'certificate profile: device, service, broker or one of your own', value: 'NAME' },
  dns: {
    help: 'host name for its certificate, if its profile has names (service)',
    value: 'NAME',
    multiple: true,
  },
  ip: {
    help: 'address for its certificate, if its profile has names (service)',
    value: 'ADDRESS',
    multiple: true,
  },
  label: { help: 'label to find it by', value: 'KEY=VALUE', multiple: true },
  state: {
    help: 'only devices in this state',
    value: 'STATE',
    choices: ['registered', 'enrolled', 'active', 'suspended', 'retired'],
  },
  status: {
    help: 'only certificates with this status',
    value: 'STATUS',
    choices: ['issued', 'active', 'superseded', 'held', 'revoked', 'expired'],
  },
  device: { help: 'only certificates of this device', value: 'ID' },
  limit: { help: 'at most so many; 0 for all (default 1000)', value: 'N' },
  expires: { help: 'how long it can be used, such as 15m, 24h or 30d', value: 'DURATION' },
  reason: { help: 'why (RFC 5280)', value: 'REASON', choices: reasons },
  from: {
    help: 'one a line, of several columns the first; - reads standard input',
    value: 'FILE',
    isPath: true,
  },
  pem: { help: 'print the certificate itself' },
  out: { help: 'directory for the files that are made', value: 'DIR', isPath: true },
  follow: { help: 'go on with what comes', short: 'f' },
  lines: { help: 'how many of the last records to begin with (default 10)', value: 'N', short: 'n' },
  since: { help: 'the head of what you have: only what follows it', value: 'SEQ:HASH' },
  head: { help: 'a head noted down earlier, as printed by audit verify', value: 'SEQ:HASH' },
  policy: {
    help: 'policy file (default broker/policy.yaml in the data directory)',
    value: 'FILE',
    isPath: true,
  },
  role: {
    help: 'role in the certificate',
    value: 'ROLE',
    choices: ['device', 'service', 'operator', 'claim'],
  },
  id: { help: 'device id of the client', value: 'ID' },
  o: { help: 'organization in its certificate', value: 'NAME' },
  ou: { help: 'organizational unit in its certificate', value: 'NAME' },
  serial: { help: 'serial number of its certificate', value: 'HEX' },
  retain: { help: 'the message is to be retained' },
  batch: { help: 'production batch', value: 'NAME' },
  idevid: {
    help: 'what its certificate from the factory says: a configured manufacturer and a serial number',
    value: 'MANUFACTURER:SERIAL',
  },
  all: { help: 'what is left out otherwise, too: approvals that are decided, other roles than device' },
  quota: { help: 'how many devices may enroll with it', value: 'N' },
  csr: {
    help: 'certify the key of this request, PEM or DER, instead of making one',
    value: 'FILE',
    isPath: true,
  },
  'dry-run': { help: 'say what would be done, and do nothing' },
  force: { help: 'even if certificates of it are still in use' },
  'introduce-for': {
    help: 'how long everybody has to learn of it before it signs, such as 10m; 0 for at once',
    value: 'DURATION',
  },
  'root-key': {
    help: 'encrypted key of a root that is kept elsewhere: sign here with it',
    value: 'FILE',
    multiple: true,
    isPath: true,
  },
  'passphrase-file': {
    help: 'opens the key (default FLEETROOT_CA_PASSPHRASE, then ca/passphrase in the data directory)',
    value: 'FILE',
    isPath: true,
  },
  'new-passphrase-file': {
    help: 'encrypt the copy with the passphrase in this file instead',
    value: 'FILE',
    isPath: true,
  },
  remove: { help: 'then take the key off this machine' },
} as const satisfies Readonly<Record<string, OptionSpec>>

/** The name of a flag. */
export type OptionName = keyof typeof options

/** A flag by its name. */
export function optionOf(name: OptionName): OptionSpec {
  return options[name]
}

/** Flags that every command takes. */
export const globalOptions: readonly OptionName[] = ['json', 'yes', 'help', 'version']

/** Flags of every command that talks to a server. */
export const serverOptions: readonly OptionName[] = ['url', 'data', 'trust', 'cert', 'key']
