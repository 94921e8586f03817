import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const root = join(import.meta.dirname, '../../..')

export type AppName = 'enrollment-server' | 'broker' | 'simulator'

/** How a process ended: its status, or the signal that killed it. */
export interface Exit {
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
}

/** A running app. */
export interface App {
  readonly pid: number
  /** All that it has printed so far, stdout and stderr together. */
  output(): string
  /** The first match of `pattern` in its output, now or later; rejects with the output if it ends before. */
  waitFor(pattern: RegExp): Promise<RegExpExecArray>
  /** What stands behind `listening on` in its ready line, e.g. `https://127.0.0.1:8443`. */
  ready(): Promise<string>
  /** Sends a signal (SIGTERM) and resolves when the process is gone. */
  stop(signal?: NodeJS.Signals): Promise<Exit>
  readonly exited: Promise<Exit>
}

/**
 * Starts an app as its users do, as a process of its own, with every port free (0) unless `env` says otherwise.
 * The caller stops it.
 */
export function startApp(name: AppName, args: readonly string[], env: Record<string, string>): App {
  const child = spawn(process.execPath, [join(root, 'apps', name, 'src/main.ts'), ...args], {
    cwd: root,
    // Two wishes about colour make Node print a warning between our lines.
    env: { ...process.env, ...anyPort, FORCE_COLOR: '0', NO_COLOR: undefined, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const listeners = new Set<() => void>()
  const changed = (): void => listeners.forEach((listener) => listener())
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      output += `${line}\n`
      changed()
    })
  }
  let ended = false
  const exited = once(child, 'close').then(([status, signal]): Exit => {
    ended = true
    changed()
    return { status: status as number | null, signal: signal as NodeJS.Signals | null }
  })
  const waitFor = (pattern: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const match = pattern.exec(output)
        if (!match && !ended) return
        listeners.delete(look)
        if (match) resolve(match)
        else reject(new Error(`${name} ended without ${String(pattern)}:\n${output}`))
      }
      listeners.add(look)
      look()
    })
  return {
    pid: child.pid ?? 0,
    output: () => output,
    waitFor,
    ready: async () => (await waitFor(new RegExp(`^${name}: listening on (\\S+)`, 'm')))[1] ?? '',
    stop: (signal = 'SIGTERM') => {
      child.kill(signal)
      return exited
    },
    exited,
  }
}

const anyPort = {
  FLEETROOT_ENROLLMENT_PORT: '0',
  FLEETROOT_ENROLLMENT_HTTP_PORT: '0',
  FLEETROOT_ENROLLMENT_METRICS_PORT: '0',
  FLEETROOT_BROKER_PORT: '0',
  FLEETROOT_BROKER_WSS_PORT: '0',
  FLEETROOT_BROKER_METRICS_PORT: '0',
  FLEETROOT_SIMULATOR_METRICS_PORT: '0',
}
