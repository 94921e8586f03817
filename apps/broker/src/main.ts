import { type AppContext, openDataDirectory, runApp } from '@fleetroot/service'
import packageFile from '../package.json' with { type: 'json' }
import { policyRoutes } from './admin/policy-routes.ts'
import { sessionRoutes } from './admin/session-routes.ts'
import { urlOf } from './listener/configured.ts'
import type { Listening } from './listener/open-listeners.ts'
import { BrokerCounts } from './metrics/counts.ts'
import { exposeAuthorities } from './metrics/authorities.ts'
import { exposeCounts } from './metrics/exposition.ts'
import { exposeRevocation } from './metrics/revocation.ts'
import { exposeStore } from './metrics/store.ts'
import { openOperations } from './operations.ts'
import { settings } from './settings.ts'
import { startBroker, type StartedBroker } from './start.ts'
import { StoreCounts } from './store/counts.ts'
import { checkWorkers } from './workers/share.ts'
import { supervise } from './workers/supervise.ts'

runApp({
  name: 'broker',
  version: packageFile.version,
  summary: 'MQTT broker behind mutual TLS: certificates in, topics by policy, nothing by default',
  settings,
  main: async (context) => {
    const { name, config, ready } = context
    checkWorkers(config)
    const [first, ...others] = await (config.workers === 1 ? run(context) : supervise(context))
    ready(urlOf(first!))
    if (config.listeners === undefined) return
    for (const other of others) process.stdout.write(`${name}: also listening on ${urlOf(other)}\n`)
  },
})

/** Runs a broker of one process, and returns where it listens. */
async function run(context: AppContext<typeof settings>): Promise<readonly Listening[]> {
  const { config, logger } = context
  const data = await openDataDirectory(config.data)
  const serving: Partial<StartedBroker> = {}
  const { operations, onWait, onReadiness } = await openOperations(context, {
    routes: [
      ...sessionRoutes(() => serving.broker?.sessions, logger),
      ...policyRoutes(() => serving.policies, logger),
    ],
    checks: ['store', 'identity', 'revocation', 'listener'],
  })
  const counts = new BrokerCounts()
  exposeCounts(operations.register, counts)
  const storeCounts = new StoreCounts()
  exposeStore(operations.register, storeCounts)
  const started = await startBroker({ ...context, data, counts, storeCounts, onWait, onReadiness })
  const { broker, revocation, follower, authorities } = Object.assign(serving, started)
  exposeRevocation(operations.register, revocation, follower)
  exposeAuthorities(operations.register, authorities)
  operations.setReady('listener')
  return broker.listening
}
