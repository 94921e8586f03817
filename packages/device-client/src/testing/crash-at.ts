/**
 * Preloaded into a child (`node --import`): kills the process with SIGKILL, as a power cut would, just before
 * the step whose number is in CRASH_AT. A step is a call of the file system, opening a connection, writing to one,
 * and taking in what arrived on one.
 */
import fs from 'node:fs/promises'
import { flushCompileCache, syncBuiltinESMExports } from 'node:module'
import { Socket } from 'node:net'

const crashAt = Number(process.env['CRASH_AT'])
let calls = 0

function step(): void {
  calls += 1
  if (calls !== crashAt) return
  // A cache of compiled code halves the time that the next child needs to start; it is written at a normal exit only.
  flushCompileCache()
  process.kill(process.pid, 'SIGKILL')
}

type Callable = (...parameters: unknown[]) => unknown

function countCalls(owner: object, names: readonly string[]): void {
  const methods = owner as Record<string, Callable>
  for (const name of names) {
    const original = methods[name] as Callable
    methods[name] = function counted(this: unknown, ...parameters) {
      if (this !== process.stdout) step()
      return original.apply(this, parameters)
    }
  }
}

const probe = await fs.open(new URL(import.meta.url))
countCalls(Object.getPrototypeOf(probe) as object, ['writeFile', 'readFile', 'sync', 'close'])
await probe.close()
// TLS sockets inherit these. What is written to a pipe, as stdout is one here, changes nothing in the world.
countCalls(Socket.prototype, ['connect', '_writeGeneric', 'push'])
calls = 0
countCalls(fs, ['link', 'mkdir', 'open', 'readdir', 'rename', 'rm', 'stat'])
syncBuiltinESMExports()
