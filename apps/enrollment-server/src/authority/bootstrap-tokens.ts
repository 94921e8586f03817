import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { DataDirectory } from '@fleetroot/service'
import type { DeviceId } from '@fleetroot/pki'
import type { DeviceRecord } from '../registry/records.ts'
import type { Registry } from '../registry/registry.ts'
import { newToken, tokenHash } from '../token/token.ts'

/** A service that gets its first certificate with a token from the data directory. */
export type BootstrapService = Pick<DeviceRecord, 'id' | 'dns' | 'ip'>

/** The services of a development fleet. The broker's names are those that its clients connect to. */
export function bootstrapServices(broker: Pick<DeviceRecord, 'dns' | 'ip'>): BootstrapService[] {
  return [
    { id: 'broker' as DeviceId, ...broker },
    { id: 'simulator' as DeviceId, dns: [], ip: [] },
  ]
}

/**
 * Makes sure that a service is registered and that `bootstrap/<id>.token` holds a token it can use: made when
 * the file is missing, and made again when the token expired before the service ever enrolled. To let a
 * service that lost its key enroll once more, delete the file. The registry gets the token before the file
 * does: what a kill in between leaves is a token that nobody knows. The caller holds the lock.
 */
export async function ensureBootstrapToken(
  service: BootstrapService,
  dependencies: {
    data: DataDirectory
    registry: Registry
    now: Date
    lifetimeMs: number
    made: (file: string) => void
  },
): Promise<void> {
  const { data, registry, now, lifetimeMs, made } = dependencies
  const { id, dns, ip } = service
  const createdAtMs = now.getTime()
  const device = { id, profile: 'service', dns, ip, labels: {}, createdAtMs }
  if (!(await registry.addDevice(device))) await registry.renameDevice(device)

  const file = `bootstrap/${id}.token`
  if (existsSync(data.file(file))) {
    const found = await registry.findToken(tokenHash((await readFile(data.file(file), 'utf8')).trim()))
    if (found?.token.used) return
    if (found && found.token.expiresAtMs > createdAtMs + lifetimeMs / 3) return
  }
  const token = newToken()
  const expiresAtMs = createdAtMs + lifetimeMs
  await registry.addToken({ hash: tokenHash(token), deviceId: id, createdAtMs, expiresAtMs })
  await data.write(file, `${token}\n`)
  made(file)
}
