import { createOperations, formatDuration, openDataDirectory, runApp } from '@fleetroot/service'
import packageFile from '../package.json' with { type: 'json' }
import { policyRoutes } from './admin/policy-routes.ts'
import { sessionRoutes } from './admin/session-routes.ts'
import { urlOf } from './listener/configured.ts'
import { BrokerCounts } from './metrics/counts.ts'
import { exposeActivation } from './metrics/activation.ts'
import { exposeAuthorities } from './metrics/authorities.ts'
import { exposeCertificate } from './metrics/certificate.ts'
import { exposeCounts } from './metrics/exposition.ts'
import { exposeRevocation } from './metrics/revocation.ts'
import { exposeStore } from './metrics/store.ts'
import { settings } from './settings.ts'
import { startBroker, type StartedBroker } from './start.ts'
import { StoreCounts } from './store/counts.ts'

const name = 'broker'

runApp({
  name,
  version: packageFile.version,
  summary: 'MQTT broker behind mutual TLS: certificates in, topics by policy, nothing by default',
  settings,
  main: async (context) => {
    const { config, signal, onStop, ready } = context
    const data = await openDataDirectory(config.data)
    const serving: Partial<StartedBroker> = {}
    const adminRoutes = [
      ...sessionRoutes(() => serving.broker?.sessions, context.logger),
      ...policyRoutes(() => serving.policies, context.logger),
    ]
    const operations = createOperations({
      port: config.metricsPort,
      host: config.metricsHost,
      routes: adminRoutes,
      checks: ['store', 'identity', 'revocation', 'listener'],
      signal,
    })
    onStop('operations', () => operations.close())
    await operations.listen()

    const counts = new BrokerCounts()
    exposeCounts(operations.register, counts)
    const storeCounts = new StoreCounts()
    exposeStore(operations.register, storeCounts)
    const onWait = (what: string): void => {
      operations.setNotReady('identity', `waiting for ${what}`)
      process.stdout.write(`${name}: waiting for ${what}, up to ${formatDuration(config.wait)}\n`)
    }
    const onReadiness = (check: string, reason: string | undefined): void => {
      if (reason === undefined) operations.setReady(check)
      else operations.setNotReady(check, reason)
    }
    const started = await startBroker({
      ...context,
      data,
      counts,
      storeCounts,
      onWait,
      onReadiness,
      adminRoutes,
    })
    const { broker, revocation, follower, authorities, operators, activation } = Object.assign(
      serving,
      started,
    )
    exposeRevocation(operations.register, revocation, follower)
    exposeAuthorities(operations.register, authorities)
    exposeCertificate(operations.register, started.ownCertificate)
    exposeActivation(operations.register, activation)

    operations.setReady('listener')
    const [first, ...others] = broker.listening
    ready(urlOf(first!))
    if (operators !== undefined) {
      const url = urlOf({ kind: 'https', host: config.adminHost ?? config.host, port: operators.port })
      process.stdout.write(`${name}: administration at ${url}\n`)
    }
    if (config.listeners === undefined) return
    for (const other of others) process.stdout.write(`${name}: also listening on ${urlOf(other)}\n`)
  },
})
