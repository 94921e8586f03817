import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { DataDirectory } from '@fleetroot/service'
import type { DeviceId } from '@fleetroot/pki'
import { brokerProfile } from '../config/profiles.ts'
import type { DeviceRecord } from '../registry/records.ts'
import type { Registry } from '../registry/registry.ts'
import { newToken, tokenHash } from '../token/token.ts'

/** A service that gets its first certificate with a token from the data directory. */
export type BootstrapService = Pick<DeviceRecord, 'id' | 'profile' | 'dns' | 'ip'>

/** The services of a development fleet. The broker's names are those that its clients connect to. */
export function bootstrapServices(broker: Pick<DeviceRecord, 'dns' | 'ip'>): BootstrapService[] {
  return [
    { id: 'broker' as DeviceId, profile: brokerProfile, ...broker },
    { id: 'simulator' as DeviceId, profile: 'service', dns: [], ip: [] },
  ]
}

/** What tokens are made with. */
interface BootstrapDependencies {
  readonly data: DataDirectory
  readonly registry: Registry
  readonly now: Date
  readonly lifetimeMs: number
  /** Told the file that is made, and why. */
  readonly made: (file: string, why: string) => void
}

/**
 * Makes sure that a service is registered and that `bootstrap/<id>.token` holds a token it can use whenever it
 * needs one: when the file is missing, and when the token is used or about to expire while the service has no
 * certificate that is valid, so that one that was off for too long can come back. To let a service that lost its
 * key enroll before that, delete the file. The registry gets the token before the file does: what a kill in
 * between leaves is a token that nobody knows. The caller holds the lock.
 */
export async function ensureBootstrapToken(
  service: BootstrapService,
  dependencies: BootstrapDependencies,
): Promise<void> {
  const { data, registry, now, lifetimeMs, made } = dependencies
  const { id, profile, dns, ip } = service
  const createdAtMs = now.getTime()
  const device = { id, profile, dns, ip, labels: {}, createdAtMs }
  if (!(await registry.addDevice(device))) await registry.renameDevice(device)

  const file = `bootstrap/${id}.token`
  const why = await reasonForToken(id, file, dependencies)
  if (why === undefined) return
  const token = newToken()
  const expiresAtMs = createdAtMs + lifetimeMs
  await registry.addToken({ hash: tokenHash(token), deviceId: id, createdAtMs, expiresAtMs })
  await data.write(file, `${token}\n`)
  made(file, why)
}

/** Why the service needs another token; undefined when it does not. */
async function reasonForToken(
  id: DeviceId,
  file: string,
  { data, registry, now, lifetimeMs }: BootstrapDependencies,
): Promise<string | undefined> {
  if (!existsSync(data.file(file))) return `there is no token for ${id}`
  const found = await registry.findToken(tokenHash((await readFile(data.file(file), 'utf8')).trim()))
  if (!found) return `the registry does not know the token of ${id}`
  const nowMs = now.getTime()
  const { token, device } = found
  if (!token.used && token.expiresAtMs > nowMs + lifetimeMs / 3) return undefined
  const { certificate } = device
  if (certificate && certificate.notAfterMs > nowMs) return undefined
  const fate = token.used ? 'is used' : 'expires'
  if (!certificate) return `${id} has no certificate yet and its last token ${fate}`
  const expiry = new Date(certificate.notAfterMs).toISOString()
  return `the certificate of ${id} expired at ${expiry} and its last token ${fate}`
}
