// Before anything else: see there.
import '../quiet.ts'
import { createReadiness, createRegister, metricsOf, openDataDirectory, runApp } from '@fleetroot/service'
import packageFile from '../../package.json' with { type: 'json' }
import { sessionRoutes } from '../admin/session-routes.ts'
import type { Broker } from '../broker.ts'
import type { ListenerPlan } from '../listener/open-listeners.ts'
import { BrokerCounts } from '../metrics/counts.ts'
import { exposeCounts } from '../metrics/exposition.ts'
import { exposeStore } from '../metrics/store.ts'
import { exposeShare } from '../metrics/workers.ts'
import { serve } from '../serve.ts'
import { StoreCounts } from '../store/counts.ts'
import { keepStore } from '../store/keep-store.ts'
import { maxWorkers } from './count.ts'
import { type Beginning, failureOf, type Questions, type ToWorker } from './messages.ts'
import { Relayed } from './relayed.ts'
import { connectToSupervisor } from './supervisor-link.ts'

// One of several processes that serve the same listeners. Started by `Workers`, and by nothing else: it gets its
// configuration and all that it goes by from the supervising process, and ends with it.
runApp({
  name: 'broker',
  version: packageFile.version,
  summary: 'a worker of the broker, which the broker starts',
  settings: {},
  // Before the supervising process gives up waiting.
  stopWithinMs: 9_000,
  main: async (context) => {
    const { onStop, stop } = context
    const link = connectToSupervisor()
    const beginning = await link.beginning
    const { config, number } = beginning
    const logger = context.logger.child({ worker: number })
    const counts = new BrokerCounts()
    const storeCounts = new StoreCounts()
    const register = createRegister()
    exposeCounts(register, counts)
    exposeStore(register, storeCounts)
    exposeShare(register, number, counts)
    const known = new Relayed(beginning, {
      connected: (serial) => link.send({ kind: 'connected', serial }),
    })
    const readiness = createReadiness(['store'])
    let broker: Broker | undefined
    const routes = sessionRoutes(
      () => broker?.sessions,
      logger,
      (session) => session.number * maxWorkers + number,
    )

    async function answer({
      what,
      ask,
    }: ToWorker & { kind: 'ask' }): Promise<Questions[keyof Questions]['answer']> {
      if (what === 'metrics') return metricsOf(register)
      if (what === 'settled') return true
      const { route, request } = ask as Questions['sessions']['ask']
      return routes[route]!.answer(request)
    }
    link.listen({
      onChange: (message) => known.take(message),
      onStop: () => stop('the broker stops'),
      answer,
    })
    const onReadiness = (check: string, reason: string | undefined): void => {
      if (reason === undefined) readiness.setReady(check)
      else readiness.setNotReady(check, reason)
      link.send({ kind: 'readiness', check, reason })
    }
    try {
      const data = await openDataDirectory(config.data)
      const store = await keepStore({ config, data, counts: storeCounts, log: logger, onReadiness, onStop })
      broker = await serve({ config, logger, onStop, store, counts, known, plan: sharedPlan(beginning) })
    } catch (error) {
      logger.debug({ err: error }, 'the worker cannot start')
      link.send({ kind: 'failed', failure: failureOf(error) })
      return 1
    }
    link.send({ kind: 'listening', listening: broker.listening })
    return undefined
  },
})

/** All workers listen on the same ports; those that were free ones are known from the first worker on. */
function sharedPlan({ ports }: Beginning): (listener: ListenerPlan) => ListenerPlan {
  return (listener) => ({ ...listener, port: ports[listener.name] ?? listener.port, isShared: true })
}
