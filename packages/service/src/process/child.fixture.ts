import { type ChildProcessByStdio, spawn, type SpawnOptions } from 'node:child_process'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'

/** A real child process of a test. */
export interface Child {
  readonly process: ChildProcessByStdio<null, Readable, Readable>
  /** Resolves to the first line of either stream that matches; rejects when the process ends without one. */
  readonly line: (pattern: RegExp) => Promise<string>
  /** Resolves when the process ended and its output was read. */
  readonly end: Promise<{ status: number | null; signal: string | null; stdout: string; stderr: string }>
}

const running = new Set<Child>()

/** Starts a TypeScript file of this package with the Node that runs the tests and no FLEETROOT_ variables. */
export function startChild(file: URL, args: string[] = [], options: SpawnOptions = {}): Child {
  const inherited = Object.entries(process.env).filter(([name]) => !/^FLEETROOT|_COLOR$/.test(name))
  const child = spawn(process.execPath, [fileURLToPath(file), ...args], {
    ...options,
    env: { ...Object.fromEntries(inherited), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = { stdout: '', stderr: '' }
  const watchers = new Set<() => void>()
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text
      for (const watch of watchers) watch()
    })
  }
  const end: Child['end'] = new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (status, signal) => resolve({ status, signal, ...output }))
  })
  const line = (pattern: RegExp) =>
    new Promise<string>((resolve, reject) => {
      const watch = () => {
        const lines = `${output.stdout}\n${output.stderr}`.split('\n')
        const match = lines.find((candidate) => pattern.test(candidate))
        if (match === undefined) return
        watchers.delete(watch)
        resolve(match)
      }
      watchers.add(watch)
      watch()
      const complain = () => reject(new Error(`ended without ${pattern}:\n${output.stdout}${output.stderr}`))
      end.then(complain, reject)
    })
  const started = { process: child, line, end }
  running.add(started)
  void end.finally(() => running.delete(started)).catch(() => {})
  return started
}

/** Kills what a failed test left behind; for afterEach. */
export async function killChildren(): Promise<void> {
  await Promise.all(
    [...running].map((child) => {
      child.process.kill('SIGKILL')
      return child.end
    }),
  )
}
