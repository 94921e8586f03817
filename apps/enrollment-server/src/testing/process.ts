import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

/** The server as a process of its own. */
export interface ServerProcess {
  /** stdout and stderr so far. */
  output(): string
  /** The first match in the output, now or later; rejects with the output if the process ends before. */
  waitFor(pattern: RegExp): Promise<RegExpExecArray>
  /** The port in the ready line. */
  port(): Promise<number>
  /** Sends a signal and resolves to the exit status, or to the signal. */
  stop(signal: NodeJS.Signals): Promise<number | NodeJS.Signals>
  readonly ended: Promise<number | NodeJS.Signals>
}

const main = join(import.meta.dirname, '../main.ts')

/** Starts main.ts on a data directory, on free ports unless `args` say otherwise. The test stops it. */
export function startProcess(
  data: string,
  args: string[] = [],
  env: Record<string, string> = {},
): ServerProcess {
  const child = spawn(process.execPath, [main, ...args], {
    env: {
      PATH: process.env['PATH'],
      FLEETROOT_DATA: data,
      FLEETROOT_ENROLLMENT_PORT: '0',
      FLEETROOT_ENROLLMENT_HTTP_PORT: '0',
      FLEETROOT_ENROLLMENT_METRICS_PORT: '0',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  let isOver = false
  const watchers = new Set<() => void>()
  const changed = (): void => watchers.forEach((watcher) => watcher())
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      changed()
    })
  }
  const ended = once(child, 'close').then(([status, signal]) => {
    isOver = true
    changed()
    return (status ?? signal) as number | NodeJS.Signals
  })
  const waitFor = (pattern: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const match = pattern.exec(output)
        if (!match && !isOver) return
        watchers.delete(look)
        if (match) resolve(match)
        else reject(new Error(`ended without ${String(pattern)}:\n${output}`))
      }
      watchers.add(look)
      look()
    })
  return {
    output: () => output,
    waitFor,
    port: async () =>
      Number((await waitFor(/^enrollment-server: listening on https:\/\/127\.0\.0\.1:(\d+)$/m))[1]),
    stop: (signal) => {
      child.kill(signal)
      return ended
    },
    ended,
  }
}
