/**
 * Preloaded into a child (`node --import`): kills the process with SIGKILL, as a power cut would, just before
 * the file system call whose number is in CRASH_AT. The number of calls made is in the exit line otherwise.
 */
import fs from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'

const crashAt = Number(process.env['CRASH_AT'])
let calls = 0

function step(): void {
  calls += 1
  if (calls === crashAt) process.kill(process.pid, 'SIGKILL')
}

type Callable = (...parameters: unknown[]) => unknown

function countCalls(owner: object, names: readonly string[]): void {
  const methods = owner as Record<string, Callable>
  for (const name of names) {
    const original = methods[name] as Callable
    methods[name] = function counted(this: unknown, ...parameters) {
      step()
      return original.apply(this, parameters)
    }
  }
}

const probe = await fs.open(new URL(import.meta.url))
countCalls(Object.getPrototypeOf(probe) as object, ['writeFile', 'readFile', 'sync', 'close'])
await probe.close()
calls = 0
countCalls(fs, ['link', 'mkdir', 'open', 'readdir', 'rename', 'rm', 'stat'])
syncBuiltinESMExports()
