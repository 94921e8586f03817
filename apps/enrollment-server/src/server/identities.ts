import type { DeviceId } from '@fleetroot/pki'
import { loadIdentity, type TlsIdentity } from '@fleetroot/tls-config'
import { dataLock } from '../authority/authorities.ts'
import { bootstrapServices, ensureBootstrapToken } from '../authority/bootstrap-tokens.ts'
import {
  ensureOwnIdentity,
  type OwnIdentity,
  type OwnIdentityDependencies,
} from '../authority/own-identity.ts'
import { splitNames } from '../config/names.ts'

/** What the identities of the server and of its fleet's services depend on. */
export interface IdentitySettings {
  readonly serverNames: readonly string[]
  readonly brokerNames: readonly string[]
  readonly tokenLifetime: number
}

/**
 * Makes, or renews, what the data directory should hold: the server's certificate, the operator's, and the
 * bootstrap tokens of the broker and the simulator. Resolves to the server's identity. Does nothing when all is
 * well, so that it can be called every now and then; takes the lock of the data directory itself.
 */
export async function refreshIdentities(
  settings: IdentitySettings,
  dependencies: OwnIdentityDependencies,
): Promise<TlsIdentity> {
  const { data, registry, now, made } = dependencies
  const own: OwnIdentity = {
    id: 'enrollment-server' as DeviceId,
    directory: 'enrollment-server',
    profile: 'service',
    ...splitNames(settings.serverNames),
  }
  const operator: OwnIdentity = {
    id: 'operator' as DeviceId,
    directory: 'operator',
    profile: 'operator',
    dns: [],
    ip: [],
  }
  return data.locked(dataLock, async () => {
    await ensureOwnIdentity(own, dependencies)
    await ensureOwnIdentity(operator, dependencies)
    for (const service of bootstrapServices(splitNames(settings.brokerNames))) {
      const lifetimeMs = settings.tokenLifetime
      await ensureBootstrapToken(service, { data, registry, now: now(), lifetimeMs, made })
    }
    const file = (name: string): string => data.file('enrollment-server', name)
    return loadIdentity({ certFile: file('cert.pem'), keyFile: file('key.pem') }, now())
  })
}
