import { monitorEventLoopDelay } from 'node:perf_hooks'
import { fastify } from 'fastify'
import { Gauge, type Registry } from 'prom-client'
import { addAdminRoutes, type AdminRoute } from './admin-route.ts'
import { createReadiness, type Readiness } from './readiness.ts'
import { answerRefusals } from './refusal.ts'
import { createRegister, metricsOf, type ProcessMetrics, withOthers } from './register.ts'
import { refuseOtherHost } from './web-page.ts'

/** The operations listener of an app. Made by `createOperations`. */
export interface Operations extends Pick<Readiness, 'setReady' | 'setNotReady'> {
  /** Where the app's own metrics register: `new Counter({ …, registers: [operations.register] })`. */
  readonly register: Registry
  /** Starts to listen and resolves to the port taken. Rejects with Node's error, which `runApp` explains. */
  readonly listen: () => Promise<number>
  /** Stops listening and measuring; resolves when open requests are answered. */
  readonly close: () => Promise<void>
}

/**
 * Health and metrics over plain HTTP, on loopback unless told otherwise:
 * `/livez` 200 while the process answers; `/readyz` 200 `{"status":"ready"}` or 503 with the reason for each
 * check that is not ready; `/metrics` for Prometheus, Node's default metrics (event-loop lag included).
 * Whoever may use the loopback interface of this machine may use `routes`, except through a browser. On any other
 * `host` they are not there: nobody has proven anything.
 * Listen before the slow part of a start, so that others can see what it waits for.
 *
 *     const operations = createOperations({ port: config.metricsPort, checks: ['identity', 'listener'], signal })
 *     onStop('operations', () => operations.close())
 *     await operations.listen()
 *     operations.setNotReady('identity', 'waiting for the enrollment server')
 *     operations.setReady('identity')
 */
export function createOperations(options: {
  port: number
  host?: string
  /** Parts that must be ready first; each is `not started` until `setReady`. */
  checks?: readonly string[]
  /** The app's own, below `/v1`. */
  routes?: readonly AdminRoute[]
  /** Metrics of other processes of the same app, which `/metrics` adds to those of this one. */
  others?: () => Promise<readonly ProcessMetrics[]>
  /** Once aborted, /readyz says `stopping`, so that load balancers look elsewhere while the app drains. */
  signal?: AbortSignal
}): Operations {
  const { port, host = '127.0.0.1', checks = [], routes = [], others, signal } = options
  const readiness = createReadiness(checks)
  const register = createRegister()
  const lag = monitorEventLoopDelay({ resolution: 20 })
  lag.enable()

  const waiting = (): Record<string, string> =>
    signal?.aborted === true ? { app: 'stopping' } : readiness.pending()
  const ready = new Gauge({
    name: 'fleetroot_ready',
    help: '1 while /readyz says ready',
    registers: [],
    collect() {
      this.set(Number(Object.keys(waiting()).length === 0))
    },
  })
  register.registerMetric(ready)
  const isLoopback = /^(localhost|127\..*|::1)$/.test(host)

  const server = fastify({ forceCloseConnections: 'idle', requestTimeout: 10_000, bodyLimit: 1024 })
  answerRefusals(server)
  server.addHook('onRequest', async ({ headers }, reply) => {
    const detail = isLoopback ? refuseOtherHost(headers) : undefined
    return detail === undefined ? undefined : reply.code(403).send({ code: 'forbidden', detail })
  })
  server.get('/livez', () => ({ status: 'alive', eventLoopLagMs: Math.round(lag.mean / 1e4) / 100 || 0 }))
  server.get('/readyz', async (_request, reply) => {
    const pending = waiting()
    if (Object.keys(pending).length === 0) return { status: 'ready' }
    return reply.code(503).send({ status: 'not ready', checks: pending })
  })
  server.get('/metrics', async (_request, reply) => {
    const shown = others === undefined ? register : withOthers(await metricsOf(register), await others())
    return reply.type(register.contentType).send(await shown.metrics())
  })
  if (isLoopback) addAdminRoutes(server, routes, () => ({ caller: 'loopback' }))

  return {
    register,
    setReady: readiness.setReady,
    setNotReady: readiness.setNotReady,
    listen: async () => {
      await server.listen({ port, host })
      return (server.server.address() as { port: number }).port
    },
    close: async () => {
      lag.disable()
      register.clear()
      await server.close()
    },
  }
}
