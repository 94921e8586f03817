import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { afterAll } from 'vitest'

/** How a child ended. */
export interface ChildEnd {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

/** Compiled code of the children, which are many. */
const compileCache = mkdtempSync(join(tmpdir(), 'device-client-compiled-'))
afterAll(() => rmSync(compileCache, { recursive: true }))

/** Runs a script of this folder to its end; `crashAt` kills it before that step (see crash-at.ts). */
export async function runChild(script: string, parameters: string[], crashAt?: number): Promise<ChildEnd> {
  const path = (name: string) => fileURLToPath(new URL(name, import.meta.url))
  const preload = crashAt === undefined ? [] : ['--import', path('crash-at.ts')]
  const child = spawn(process.execPath, [...preload, path(script), ...parameters], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, CRASH_AT: String(crashAt), NODE_COMPILE_CACHE: compileCache, NODE_OPTIONS: '' },
  })
  const end: ChildEnd = { code: null, signal: null, stdout: '', stderr: '' }
  child.stdout.on('data', (chunk: Buffer) => (end.stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (end.stderr += chunk.toString()))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ ...end, code, signal }))
  })
}
