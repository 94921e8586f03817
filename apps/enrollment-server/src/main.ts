import { createOperations, openDataDirectory, runApp } from '@fleetroot/service'
import packageFile from '../package.json' with { type: 'json' }
import { settings } from './config/settings.ts'
import { openSandbox, sandboxOf } from './sandbox/sandbox.ts'
import { createMetrics } from './server/metrics.ts'
import { startServer } from './server/start.ts'

const name = 'enrollment-server'
const { version } = packageFile
/** How often to look whether an own certificate, or a CA that is introduced, is due. */
const refreshEveryMs = 30_000
/** However short a CA is introduced. */
const leastRefreshMs = 1000

runApp({
  name,
  version,
  summary: 'gives devices their certificates: EST (RFC 7030) and REST over HTTPS',
  settings,
  main: async ({ config, logger, signal, onStop, onHangup, ready, stop }) => {
    const sandbox = sandboxOf(config)
    const data = await openDataDirectory(config.data)
    const operations = createOperations({
      port: config.metricsPort,
      host: config.metricsHost,
      checks: ['listeners'],
      signal,
    })
    onStop('operations', () => operations.close())
    await operations.listen()

    const made: string[] = []
    const server = await startServer({
      config,
      data,
      version,
      logger,
      metrics: createMetrics(operations.register),
      now: () => new Date(),
      made: (file, why) => {
        made.push(file)
        logger.info({ file, why }, 'made')
      },
      onStop,
      onFailure: (error) => {
        logger.fatal({ err: error }, 'the registry is gone')
        stop('the registry is gone', 1)
      },
    })

    const refresh = (): Promise<void> =>
      server.refresh().catch((error: unknown) => logger.error({ err: error }, 'cannot renew'))
    const shortestMs = Math.min(
      config.serviceLifetime,
      config.operatorLifetime,
      Math.max(config.caIntroduction, leastRefreshMs * 10),
    )
    const timer = setInterval(() => void refresh(), Math.min(refreshEveryMs, shortestMs / 10))
    onStop('renewal', () => clearInterval(timer))
    onHangup(refresh)

    if (made.length > 0) process.stdout.write(`${name}: made in ${data.path}: ${made.join(', ')}\n`)
    const { registry, port } = server
    const opened =
      sandbox &&
      (await openSandbox(sandbox, {
        registry,
        port,
        tokenLifetimeMs: config.tokenLifetime,
        rootFile: data.file('public/root.crt'),
        now: () => new Date(),
      }))
    operations.setReady('listeners')
    const host = config.host.includes(':') ? `[${config.host}]` : config.host
    ready(`https://${host}:${port}`)
    if (opened !== undefined) process.stdout.write(`${name}: ${opened}\n`)
  },
})
