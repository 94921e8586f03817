import { destination, type Logger, type LoggerOptions, pino, stdTimeFunctions } from 'pino'
import pretty from 'pino-pretty'
import { escapeControls } from './controls.ts'
import { redact, redactText } from './redaction.ts'

export type { Logger }

/** From most to least talkative; `silent` says nothing. */
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'

/**
 * A pino logger on stderr: readable lines on a terminal, JSON lines elsewhere. stdout stays free for the ready
 * line and for what a command prints. Off a terminal the default level is `warn`, so that the servers of a
 * development fleet are quiet after their ready line; `FLEETROOT_LOG_LEVEL=info` changes that.
 * A readable line shows an error by its message, and its stack only at level `debug` or `trace`.
 * Secrets are removed by field name, private keys and Authorization values also from text (see redaction.ts).
 *
 *     logger.info({ deviceId, serial }, 'certificate issued')
 *     logger.child({ listener: 'est' }).warn({ err: error }, 'handshake failed')
 */
export function createLogger(options: {
  name: string
  level?: LogLevel | undefined
  /** Readable lines instead of JSON; by default when `stream` (stderr) is a terminal. */
  pretty?: boolean
  /** Where lines go instead of stderr. */
  stream?: { write(line: string): void }
}): Logger {
  const isTerminal = options.stream === undefined && process.stderr.isTTY
  const readable = options.pretty ?? isTerminal
  const settings: LoggerOptions = {
    name: options.name,
    level: options.level ?? (isTerminal ? 'info' : 'warn'),
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }), log: redact },
    hooks: { streamWrite: (line) => escapeControls(redactText(line)) },
  }
  const withStacks = options.level === 'debug' || options.level === 'trace'
  const stream = readable ? prettyStream(options.stream, withStacks) : (options.stream ?? stderr())
  return redactBindings(pino(settings, stream))
}

/** pino's own formatter for bindings sees those of the root only, so the fields of children need this. */
function redactBindings(logger: Logger): Logger {
  const child = Reflect.get<object, string>(logger, 'child') as (...args: unknown[]) => Logger
  // Children have the root as their prototype and so inherit this.
  return Object.assign(logger, {
    child(this: Logger, bindings: Record<string, unknown>, options?: object) {
      return child.call(this, redact(bindings), options)
    },
  })
}

/** Synchronous, so that the line that explains an exit is out before the exit. */
function stderr() {
  const stream = destination({ fd: 2, sync: true })
  // A reader that went away (EPIPE) must not end the server.
  stream.on('error', () => {})
  return stream
}

function prettyStream(stream: { write(line: string): void } | undefined, withStacks: boolean) {
  const format = pretty.prettyFactory({
    colorize: stream === undefined && process.stderr.isTTY && process.stderr.hasColors(),
    translateTime: 'SYS:HH:MM:ss',
    ignore: 'pid,hostname,name',
    messageFormat: '{msg}',
    singleLine: true,
  })
  const out = stream ?? stderr()
  return {
    write: (line: string) => {
      const { err, ...record } = JSON.parse(line) as { err?: { message?: unknown } }
      // A stack is for whoever debugs; everybody else gets one line. (pino-pretty spreads out a field named err.)
      const shown = err && (withStacks ? { ...record, err } : { ...record, cause: err.message ?? err })
      // Reading the JSON has undone its escapes.
      out.write(escapeControls(format(shown ?? record) ?? line))
    },
  }
}
