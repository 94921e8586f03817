import { setTimeout as delay } from 'node:timers/promises'
import { formatDuration } from '@fleetroot/service'
import { SimulatorError } from '../error.ts'
import type { ServerAddress } from './address.ts'
import { type Readiness, askReadiness } from './readiness.ts'

/** One server that is not there yet, and why. */
export interface Awaited {
  readonly server: ServerAddress
  readonly readiness: Readiness & { readonly detail: string }
}

/**
 * Resolves when every server with a readiness endpoint says that it is ready. Calls `onChange` with those
 * that are missing: at first, whenever there are fewer, and when a reason changed after `patienceMs`. Throws SimulatorError with what to do:
 * `server-foreign` at once when a port belongs to another program, `server-gone` when one that had answered is
 * away for `goneMs` (it could not start), `server-missing` or `server-not-ready` after `waitMs`, and `interrupted`
 * when `signal` aborts.
 */
export async function waitForServers(options: {
  servers: readonly ServerAddress[]
  waitMs: number
  signal: AbortSignal
  onChange: (awaited: readonly Awaited[]) => void
  /** Time between two rounds of questions, in milliseconds. */
  everyMs?: number
  /** How long a changed reason is no news, in milliseconds: what starts goes through several. */
  patienceMs?: number
  /** How long a server that had answered may be away, in milliseconds: long enough for a restart. */
  goneMs?: number
}): Promise<void> {
  const { waitMs, signal, onChange, everyMs = 200, patienceMs = 5_000, goneMs = 3_000 } = options
  const answered = new Map<string, number>()
  const deadline = performance.now() + waitMs
  let shown = { names: '', reasons: '', at: 0 }
  for (;;) {
    const awaited = await askAll(options.servers)
    const first = awaited[0]
    if (first === undefined) return
    const foreign = awaited.find(({ readiness }) => readiness.state === 'foreign')
    if (foreign !== undefined) throw new SimulatorError('server-foreign', foreignSentence(foreign))

    const now = performance.now()
    for (const { server, readiness } of awaited) {
      const lastAnswer = answered.get(server.name)
      const { state } = readiness
      // A slow machine keeps a server that is starting from answering; a port at which nothing listens does not lie.
      if (state === 'not-ready' || (state === 'silent' && lastAnswer !== undefined)) {
        answered.set(server.name, now)
      } else if (now - (lastAnswer ?? now) > goneMs) throw gone(server)
    }
    const names = awaited.map(({ server }) => server.name).join()
    const reasons = awaited.map(({ readiness }) => readiness.detail).join()
    if (names !== shown.names || (reasons !== shown.reasons && now - shown.at >= patienceMs)) {
      onChange(awaited)
      shown = { names, reasons, at: now }
    }

    const left = deadline - now
    if (left <= 0) throw tooLate(first, waitMs)
    try {
      await delay(Math.min(everyMs, left), undefined, { signal })
    } catch {
      throw new SimulatorError('interrupted', `stopped while waiting for the ${first.server.name}`)
    }
  }
}

async function askAll(servers: readonly ServerAddress[]): Promise<Awaited[]> {
  const asked = await Promise.all(
    servers.map(async (server) => ({
      server,
      readiness: server.readyUrl === undefined ? undefined : await askReadiness(server.readyUrl),
    })),
  )
  return asked.flatMap(({ server, readiness }) =>
    readiness === undefined || readiness.state === 'ready' ? [] : [{ server, readiness }],
  )
}

function foreignSentence({ server, readiness }: Awaited): string {
  return (
    `${server.readyUrl} is not the ${server.name}: ${readiness.detail}; ` +
    `stop that program, or set ${server.elsewhere} and start the ${server.name} there`
  )
}

function gone({ name }: ServerAddress): SimulatorError {
  return new SimulatorError(
    'server-gone',
    `the ${name} was starting and is gone; what it printed last says why`,
  )
}

function tooLate({ server, readiness }: Awaited, waitMs: number): SimulatorError {
  const after = `after ${formatDuration(waitMs)}`
  if (readiness.state === 'not-ready') {
    return new SimulatorError(
      'server-not-ready',
      `the ${server.name} is still not ready ${after} (${readiness.detail}); see what it printed, or wait longer with --wait`,
    )
  }
  return new SimulatorError(
    'server-missing',
    `no ${server.name} at ${server.readyUrl} ${after} (${readiness.detail}); ` +
      `start it with \`${server.startCommand}\`, or say where it is with ${server.elsewhere}`,
  )
}
