// Before anything else: see there.
import './quiet.ts'
import { type AppContext, openDataDirectory, runApp } from '@fleetroot/service'
import packageFile from '../package.json' with { type: 'json' }
import { policyRoutes } from './admin/policy-routes.ts'
import { serveOperators } from './admin/serve-operators.ts'
import { sessionRoutes } from './admin/session-routes.ts'
import { urlOf } from './listener/configured.ts'
import { BrokerCounts } from './metrics/counts.ts'
import { exposeActivation } from './metrics/activation.ts'
import { exposeAuthorities } from './metrics/authorities.ts'
import { exposeCertificate } from './metrics/certificate.ts'
import { exposeCounts } from './metrics/exposition.ts'
import { exposeRevocation } from './metrics/revocation.ts'
import { exposeStore } from './metrics/store.ts'
import { openOperations } from './operations.ts'
import type { Running } from './running.ts'
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
    const { listening, administration } = await (config.workers === 1 ? run(context) : supervise(context))
    const [first, ...others] = listening
    ready(urlOf(first!))
    if (administration !== undefined) process.stdout.write(`${name}: administration at ${administration}\n`)
    if (config.listeners === undefined) return
    for (const other of others) process.stdout.write(`${name}: also listening on ${urlOf(other)}\n`)
  },
})

/** Runs a broker of one process. */
async function run(context: AppContext<typeof settings>): Promise<Running> {
  const { config, logger } = context
  const data = await openDataDirectory(config.data)
  const serving: Partial<StartedBroker> = {}
  const routes = [
    ...sessionRoutes(() => serving.broker?.sessions, logger),
    ...policyRoutes(() => serving.policies, logger),
  ]
  const { operations, onWait, onReadiness } = await openOperations(context, {
    routes,
    checks: ['store', 'identity', 'revocation', 'listener'],
  })
  const counts = new BrokerCounts()
  exposeCounts(operations.register, counts)
  const storeCounts = new StoreCounts()
  exposeStore(operations.register, storeCounts)
  const started = await startBroker({ ...context, data, counts, storeCounts, onWait, onReadiness })
  const { broker, revocation, follower, authorities, ownCertificate, activation } = Object.assign(
    serving,
    started,
  )
  exposeRevocation(operations.register, revocation, follower)
  exposeAuthorities(operations.register, authorities)
  exposeCertificate(operations.register, ownCertificate)
  exposeActivation(operations.register, activation)
  const administration = await serveOperators(context, started, { routes, counts })
  operations.setReady('listener')
  return { listening: broker.listening, administration }
}
