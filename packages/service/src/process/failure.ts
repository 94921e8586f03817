import { isAbsolute, relative } from 'node:path'
import { flagOf, type Settings } from '../config/setting.ts'
import { ServiceError } from '../error.ts'

/** What a process knows when it must explain why it cannot start. */
export interface FailureContext {
  readonly settings: Settings
  /** Undefined while the configuration itself is being read. */
  readonly config: Readonly<Record<string, unknown>> | undefined
}

/**
 * One sentence for a human about a failure: what happened, to which address or path, and what to do.
 * Errors of Fleetroot's packages already are such sentences; Node's are translated.
 */
export function explainFailure(error: unknown, context: FailureContext): string {
  if (error instanceof ServiceError) return error.message
  const { code, syscall, path, port, address, hostname } = (error ?? {}) as SystemError
  if (syscall === 'listen' || syscall === 'bind') {
    return explainListen(code ?? '', address ?? '', port, context)
  }
  if (syscall === 'getaddrinfo' && hostname === context.config?.['host']) {
    return explainListen(code ?? '', hostname ?? '', undefined, context)
  }
  const trouble = fileTroubles[code ?? '']
  if (trouble !== undefined && path !== undefined) {
    return `cannot use ${path}: ${trouble}${dataHint(path, context)}`
  }
  // A write to an open file does not name its path.
  if (code === 'ENOSPC' || code === 'EDQUOT') return `cannot write: ${trouble}`
  const isBug = error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError
  return `${firstLine(error)}${isBug ? ' (this is a bug: FLEETROOT_LOG_LEVEL=debug shows where)' : ''}`
}

interface SystemError extends NodeJS.ErrnoException {
  port?: number
  address?: string
  hostname?: string
}

const fileTroubles: Readonly<Record<string, string>> = {
  EACCES: 'permission denied; give this user access',
  EPERM: 'operation not permitted; give this user access',
  ENOTDIR: 'a part of the path is not a directory',
  EISDIR: 'it is a directory',
  ENOENT: 'there is no such file or directory',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full; free some space',
  EDQUOT: 'the disk quota is used up; free some space',
  EMFILE: 'too many open files; raise `ulimit -n`',
}

function explainListen(
  code: string,
  address: string,
  port: number | undefined,
  context: FailureContext,
): string {
  const where = port === undefined ? address : `${address.includes(':') ? `[${address}]` : address}:${port}`
  const choice = setTo(port, context, /port$/i)
  const another =
    choice === '' ? 'choose another port' : `choose another port with ${choice} (0 picks a free one)`
  switch (code) {
    case 'EADDRINUSE':
      return `cannot listen on ${where}: another program has that port; stop it, or ${another}`
    case 'EACCES':
      return `cannot listen on ${where}: ports below 1024 need a privilege that this user lacks; ${another}`
    case 'EADDRNOTAVAIL':
    case 'EAI_AGAIN':
    case 'ENOTFOUND': {
      const host = setTo(address, context, /host$/i)
      return `cannot listen on ${where}: this machine has no such address${host === '' ? '' : `; change ${host}`}`
    }
    default:
      return `cannot listen on ${where}: ${code}`
  }
}

/** How the user can change the setting that has this value: `--port or FLEETROOT_BROKER_PORT`. */
function setTo(value: unknown, { settings, config }: FailureContext, name: RegExp): string {
  // An app declares the ports of its own before those of its peers, so the first match is the one that listens.
  const [key] = Object.keys(settings).filter((key) => name.test(key) && config?.[key] === value)
  const env = key === undefined ? undefined : settings[key]?.env
  if (key === undefined) return ''
  return env === undefined ? flagOf(key) : `${flagOf(key)} or ${env}`
}

function dataHint(path: string, { config }: FailureContext): string {
  const data = config?.['data']
  if (typeof data !== 'string') return ''
  const inside = relative(data, path)
  if (inside.startsWith('..') || isAbsolute(inside)) return ''
  return ', or choose another data directory with --data or FLEETROOT_DATA'
}

/** The first line of an error's message; the addresses of an AggregateError, whose own message is empty. */
function firstLine(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(firstLine).join(', ')
  const message = error instanceof Error ? error.message || error.name : String(error)
  return message.split('\n', 1)[0] ?? message
}
