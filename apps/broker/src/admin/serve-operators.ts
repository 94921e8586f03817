import type { AdminRoute, AppContext } from '@fleetroot/service'
import type { Knowledge } from '../knowledge.ts'
import { urlOf } from '../listener/configured.ts'
import type { BrokerCounts } from '../metrics/counts.ts'
import type { settings } from '../settings.ts'
import { openOperatorListener } from './operator-listener.ts'

/** Opens the port for operators, where the configuration asks for one, until the process stops. Returns its URL. */
export async function serveOperators(
  { config, logger, onStop }: Pick<AppContext<typeof settings>, 'config' | 'logger' | 'onStop'>,
  { authorities, identity, revocation }: Knowledge,
  options: { readonly routes: readonly AdminRoute[]; readonly counts: BrokerCounts },
): Promise<string | undefined> {
  if (config.adminPort === undefined) return undefined
  const host = config.adminHost ?? config.host
  const listener = await openOperatorListener({
    ...options,
    host,
    port: config.adminPort,
    mode: config.tlsMode,
    identity: () => identity.current,
    authorities: () => authorities.current,
    revocation,
    log: logger,
  })
  onStop('administration', listener.close)
  authorities.subscribe(listener.renewContext)
  identity.subscribe(listener.renewContext)
  return urlOf({ kind: 'https', host, port: listener.port })
}
