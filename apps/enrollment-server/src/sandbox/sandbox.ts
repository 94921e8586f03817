import { type DeviceId, parseDeviceId } from '@fleetroot/pki'
import { ServiceError } from '@fleetroot/service'
import { isManagedId } from '../admission/inventory.ts'
import type { Registry } from '../registry/registry.ts'
import { newToken, tokenHash } from '../token/token.ts'

/** What a sandbox is asked for with: settings of the server. */
export interface SandboxSettings {
  readonly sandbox?: string | undefined
  readonly host: string
  readonly serverNames: readonly string[]
}

/** A device to enroll from the command line, and the host by which that finds the server. */
export interface Sandbox {
  readonly id: DeviceId
  readonly serverName: string
}

const loopback = /^(localhost|127(\.\d+){3}|::1)$/

/**
 * Reads `--sandbox`. A token on a terminal is for whoever can read that terminal: a server that others can reach has no sandbox.
 *
 * @throws ServiceError `config` for a host that is not loopback, for an id of the server's own, and when the server's
 * certificate is for no name by which this machine finds it
 */
export function sandboxOf({ sandbox, host, serverNames }: SandboxSettings): Sandbox | undefined {
  if (sandbox === undefined) return undefined
  if (!loopback.test(host)) {
    throw new ServiceError(
      'config',
      `--sandbox is for trying things on one machine, and --host=${host} can be reached from others; leave one of them out`,
    )
  }
  if (isManagedId(sandbox)) {
    throw new ServiceError(
      'config',
      `--sandbox=${sandbox}: this identity is the server’s own; choose another id`,
    )
  }
  const serverName = ['localhost', host].find((name) => serverNames.includes(name))
  if (serverName === undefined) {
    throw new ServiceError('config', '--sandbox needs localhost among the --server-names')
  }
  return { id: parseDeviceId(sandbox), serverName: serverName.includes(':') ? `[${serverName}]` : serverName }
}

/** What the commands of a sandbox need to know. */
export interface SandboxDependencies {
  readonly registry: Registry
  readonly tokenLifetimeMs: number
  readonly port: number
  /** The trust anchor, an absolute path. */
  readonly rootFile: string
  readonly now: () => Date
}

/**
 * Registers the device, unless it is there, makes a token for it, and returns what to print: what was done, and three commands that
 * turn the token into a certificate.
 *
 * @throws ServiceError `config` when no token can be made for this device
 */
export async function openSandbox(
  { id, serverName }: Sandbox,
  { registry, tokenLifetimeMs, port, rootFile, now }: SandboxDependencies,
): Promise<string> {
  const createdAtMs = now().getTime()
  const record = { id, profile: 'device', dns: [], ip: [], labels: {}, createdAtMs }
  const isNew = await registry.addDevice(record)
  const device = await registry.findDevice(id)
  const refusal =
    device === undefined || device.profile === 'claim' ? 'is a claim' : refusedState[device.state]
  if (refusal !== undefined)
    throw new ServiceError('config', `--sandbox=${id}: ${id} ${refusal}; choose another id`)
  const token = newToken()
  const expiresAtMs = createdAtMs + tokenLifetimeMs
  await registry.addToken({ hash: tokenHash(token), deviceId: id, createdAtMs, expiresAtMs })
  const commands = enrollmentCommands({ id, token, rootFile, url: `https://${serverName}:${port}` })
  return [
    `sandbox: ${isNew ? `registered ${id}` : `${id} was registered`}; made a token for it, good for one certificate until ${new Date(expiresAtMs).toISOString()}`,
    'sandbox: enroll it, in any folder:',
    '',
    ...commands,
    '',
  ].join('\n')
}

const refusedState: Partial<Record<string, string>> = { suspended: 'is suspended', retired: 'is retired' }

/** A key and a CSR; the request, over EST; and the certificate out of its answer. */
function enrollmentCommands(what: { id: string; token: string; rootFile: string; url: string }): string[] {
  const { id, token, rootFile, url } = what
  return [
    `openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ${id}.key -subj /CN=${id} -outform DER -out ${id}.csr`,
    `base64 < ${id}.csr | curl --silent --show-error --fail-with-body --cacert ${quoted(rootFile)} --user ${id}:${token} --header 'Content-Type: application/pkcs10' --data-binary @- --output ${id}.p7 ${url}/.well-known/est/simpleenroll || cat ${id}.p7`,
    `base64 -d < ${id}.p7 | openssl pkcs7 -inform DER -print_certs -out ${id}.crt && openssl x509 -in ${id}.crt -noout -subject -issuer -enddate`,
  ]
}

/** One word of a POSIX shell. */
function quoted(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
