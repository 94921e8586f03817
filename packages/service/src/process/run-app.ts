import { type Config, commonSettings, type Settings } from '../config/setting.ts'
import { loadConfig } from '../config/load.ts'
import { ServiceError } from '../error.ts'
import { createLogger, type Logger, type LogLevel } from '../log/logger.ts'
import { explainFailure } from './failure.ts'
import { readyLine } from './ready-line.ts'
import { createShutdown } from './shutdown.ts'
import { handleSignals } from './signals.ts'

/** What `runApp` gives to an app's main. */
export interface AppContext<S extends Settings> {
  readonly name: string
  /** The app's settings and the common ones: `config.host`, `config.data` (absolute), `config.logLevel`. */
  readonly config: Config<typeof commonSettings & S>
  readonly logger: Logger
  /** Aborted when the stop begins; hand it to whatever waits. */
  readonly signal: AbortSignal
  /** Adds a hook for the stop. Hooks run in reverse order, each awaited; all of them have 10 s. */
  readonly onStop: (what: string, hook: () => void | Promise<void>) => void
  /** Adds a hook for SIGHUP, which is ignored otherwise. */
  readonly onHangup: (hook: () => void | Promise<void>) => void
  /** Prints `NAME: listening on URL` on stdout; call it when a client would be served. */
  readonly ready: (url: string) => void
  /** Stops the app from inside; while it stops, raises the exit status. */
  readonly stop: (reason: string, status?: number) => void
}

/** An app as its `main.ts` describes it. */
export interface App<S extends Settings> {
  readonly name: string
  readonly version: string
  /** What it does, in one line for `--help`. */
  readonly summary: string
  /** Without the common ones. Declare the ports that the app listens on before those of its peers. */
  readonly settings: S
  /**
   * Starts the app. Resolves to nothing when it serves until a signal, or to an exit status when its work is
   * done: the stop hooks run and the process ends with it. A rejection is a failed start.
   */
  readonly main: (context: AppContext<S>) => Promise<number | void>
  /** Log level when nobody chooses one; for an app whose terminal belongs to something else than its log. */
  readonly logLevel?: LogLevel
  /** Limit of the whole stop, 9.5 s by default, so that the process is gone within 10. */
  readonly stopWithinMs?: number
}

/**
 * Runs an app as a process and owns everything between it and its supervisor:
 *
 * - configuration (defaults < `--config` < FLEETROOT_ < flags), `--help`, `--version`, `--print-config`;
 * - wrong usage or configuration: sentences on stderr, exit status 2; any other failed start: one sentence, 1;
 * - SIGTERM or SIGINT: abort `signal`, run the stop hooks, exit 0; a second signal exits at once with 1;
 * - an uncaught exception or unhandled rejection is logged in one line and ends the process with 1;
 * - a reader of stdout that went away (EPIPE) does not.
 *
 * A whole main.ts:
 *
 *     import { createOperations, openDataDirectory, port, runApp, setting } from '@fleetroot/service'
 *
 *     const settings = {
 *       port: setting(port(8883), { env: 'FLEETROOT_BROKER_PORT', help: 'MQTT over TLS; 0 picks a free port' }),
 *       metricsPort: setting(port(9465), { env: 'FLEETROOT_BROKER_METRICS_PORT', help: 'health and metrics' }),
 *     }
 *
 *     runApp({
 *       name: 'broker',
 *       version: '0.1.0',
 *       summary: 'MQTT broker that admits certificates only',
 *       settings,
 *       main: async ({ config, logger, signal, onStop, ready }) => {
 *         const data = await openDataDirectory(config.data)
 *         const operations = createOperations({ port: config.metricsPort, checks: ['listener'], signal })
 *         onStop('operations', () => operations.close())
 *         await operations.listen()
 *         const broker = await startBroker({ data, config, logger, register: operations.register })
 *         onStop('broker', () => broker.close())
 *         operations.setReady('listener')
 *         ready(`mqtts://${config.host}:${broker.port}`)
 *       },
 *     })
 */
export function runApp<S extends Settings>(app: App<S>): void {
  void start(app)
}

async function start<S extends Settings>(app: App<S>): Promise<void> {
  const settings = { ...app.settings, ...commonSettings }
  let config: Readonly<Record<string, unknown>> | undefined
  let logger = createLogger({ name: app.name })
  let started = false
  const shutdown = createShutdown({
    withinMs: app.stopWithinMs ?? 9_500,
    logger: () => logger,
    exit: (status) => process.exit(status),
  })

  const fail = (error: unknown) => {
    // A start that is interrupted by the stop usually rejects with the abort; that is no news.
    if (shutdown.isStopping) return logger.debug({ err: error }, 'the start was interrupted')
    process.stderr.write(`${app.name}: ${explainFailure(error, { settings, config })}\n`)
    logger.debug({ err: error }, 'failed')
    shutdown.begin('failed', error instanceof ServiceError ? error.exitStatus : 1)
    return undefined
  }
  const crash = (error: unknown, origin: string) => {
    // An error event without a listener during the start, such as EADDRINUSE, is a failed start like any other.
    const isSystemError = (error as NodeJS.ErrnoException | undefined)?.syscall !== undefined
    if (!started && isSystemError) return fail(error)
    logger.fatal({ err: error }, origin)
    return process.exit(1)
  }
  process.on('uncaughtException', (error) => crash(error, 'uncaught exception'))
  process.on('unhandledRejection', (reason) => crash(reason, 'unhandled rejection'))
  process.stdout.on('error', ignoreBrokenPipe)
  process.stderr.on('error', ignoreBrokenPipe)
  const signals = handleSignals(shutdown, () => logger)

  try {
    const loaded = loadConfig({
      ...app,
      app: app.name,
      settings,
      argv: process.argv.slice(2),
      env: process.env,
    })
    if (loaded.kind === 'print') {
      process.stdout.write(loaded.text)
      return process.exit(0)
    }
    config = loaded.config
    const typed = loaded.config as AppContext<S>['config']
    logger = createLogger({ name: app.name, level: loaded.config.logLevel ?? app.logLevel })
    for (const warning of loaded.warnings) logger.warn(warning)
    const status = await app.main({
      name: app.name,
      config: typed,
      logger,
      signal: shutdown.signal,
      onStop: shutdown.onStop,
      onHangup: signals.onHangup,
      ready: (url) => {
        started = true
        process.stdout.write(`${readyLine(app.name, url)}\n`)
      },
      stop: (reason, status = 0) => shutdown.begin(reason, status),
    })
    started = true
    if (typeof status === 'number') shutdown.begin('done', status)
  } catch (error) {
    fail(error)
  }
}

function ignoreBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error
}
