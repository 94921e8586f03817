import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export const root = join(import.meta.dirname, '../../..')

/** How a process ended: its status, or the signal that killed it. */
export interface Exit {
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
}

/** A running process. */
export interface RunningProcess {
  readonly pid: number
  /** All that it has printed so far, stdout and stderr together. */
  output(): string
  /** The first match of `pattern` in its output from character `from` (0) on, now or later; rejects with the output if it ends before. */
  waitFor(pattern: RegExp, from?: number): Promise<RegExpExecArray>
  /** Sends a signal (SIGTERM) and resolves when the process is gone. */
  stop(signal?: NodeJS.Signals): Promise<Exit>
  /** Sends a signal that does not end it, such as SIGSTOP. */
  signal(signal: NodeJS.Signals): void
  readonly exited: Promise<Exit>
}

/** Runs Node with `args`; the caller stops it. `name` is how errors call it. */
export function startProcess(
  name: string,
  args: readonly string[],
  env: Record<string, string>,
): RunningProcess {
  return startProgram(name, process.execPath, args, env)
}

/** The same for a program that is not Node. */
export function startProgram(
  name: string,
  program: string,
  args: readonly string[],
  env: Record<string, string> = {},
): RunningProcess {
  const child = spawn(program, args, {
    cwd: root,
    // Two wishes about colour make Node print a warning between our lines.
    env: { ...process.env, FORCE_COLOR: '0', NO_COLOR: undefined, ...env },
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
  return {
    pid: child.pid ?? 0,
    output: () => output,
    waitFor: (pattern, from = 0) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const match = pattern.exec(output.slice(from))
          if (!match && !ended) return
          listeners.delete(look)
          if (match) resolve(match)
          else reject(new Error(`${name} ended without ${String(pattern)}:\n${output}`))
        }
        listeners.add(look)
        look()
      }),
    stop: (signal = 'SIGTERM') => {
      child.kill(signal)
      return exited
    },
    signal: (signal) => void child.kill(signal),
    exited,
  }
}
