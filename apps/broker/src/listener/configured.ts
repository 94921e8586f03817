import type { AppContext } from '@fleetroot/service'
import type { Policies } from '../policies.ts'
import type { settings } from '../settings.ts'
import type { ListenerSetting } from './listener-setting.ts'
import type { Listening, ListenerPlan } from './open-listeners.ts'
import { readProxies, type TrustedProxies } from './proxied.ts'

type Config = AppContext<typeof settings>['config']

/** The listeners that the configuration asks for: those of `listeners`, else one of each kind. */
export function planListeners(config: Config, policies: Pick<Policies, 'of'>): ListenerPlan[] {
  const { host, port, wssPort, tlsMode, proxyFrom } = config
  const wanted: readonly ListenerSetting[] = config.listeners ?? [
    { name: 'mqtts', kind: 'mqtts', port },
    { name: 'wss', kind: 'wss', port: wssPort },
  ]
  return wanted.map((listener) => ({
    name: listener.name,
    kind: listener.kind,
    host: listener.host ?? host,
    port: listener.port,
    mode: listener.tlsMode ?? tlsMode,
    policy: listener.policy === undefined ? undefined : policies.of(listener.name),
    proxies: trusted(listener.proxyFrom ?? proxyFrom),
  }))
}

function trusted(networks: readonly string[]): TrustedProxies | undefined {
  if (networks.length === 0) return undefined
  const proxies = readProxies(networks)
  // The schema has looked at them already.
  if ('fault' in proxies) throw new TypeError(proxies.fault)
  return proxies
}

/** Where a client finds a listener; `https` is the one for operators. */
export function urlOf(
  listener: Pick<Listening, 'host' | 'port'> & { kind: Listening['kind'] | 'https' },
): string {
  const { kind, host, port } = listener
  const shown = host.includes(':') ? `[${host}]` : host
  return `${kind}://${shown}:${port}${kind === 'wss' ? '/mqtt' : ''}`
}
