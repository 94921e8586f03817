import { createOperations, formatDuration, openDataDirectory, runApp } from '@fleetroot/service'
import packageFile from '../package.json' with { type: 'json' }
import { BrokerCounts } from './metrics/counts.ts'
import { exposeAuthorities } from './metrics/authorities.ts'
import { exposeCounts } from './metrics/exposition.ts'
import { exposeRevocation } from './metrics/revocation.ts'
import { settings } from './settings.ts'
import { startBroker } from './start.ts'

const name = 'broker'

runApp({
  name,
  version: packageFile.version,
  summary: 'MQTT broker behind mutual TLS: certificates in, topics by policy, nothing by default',
  settings,
  main: async (context) => {
    const { config, signal, onStop, ready } = context
    const data = await openDataDirectory(config.data)
    const operations = createOperations({
      port: config.metricsPort,
      checks: ['identity', 'revocation', 'listener'],
      signal,
    })
    onStop('operations', () => operations.close())
    await operations.listen()

    const counts = new BrokerCounts()
    exposeCounts(operations.register, counts)
    const onWait = (what: string): void => {
      operations.setNotReady('identity', `waiting for ${what}`)
      process.stdout.write(`${name}: waiting for ${what}, up to ${formatDuration(config.wait)}\n`)
    }
    const onReadiness = (check: string, reason: string | undefined): void => {
      if (reason === undefined) operations.setReady(check)
      else operations.setNotReady(check, reason)
    }
    const started = await startBroker({ ...context, data, counts, onWait, onReadiness })
    const { broker, revocation, follower, authorities } = started
    exposeRevocation(operations.register, revocation, follower)
    exposeAuthorities(operations.register, authorities)

    operations.setReady('listener')
    const host = config.host.includes(':') ? `[${config.host}]` : config.host
    ready(`mqtts://${host}:${broker.ports.mqtts}`)
  },
})
