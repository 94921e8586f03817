import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Session, startSession } from './testing/session.ts'

// The program as a process: signals, pipes and the launcher, which nothing inside of it can see.

const launcher = join(import.meta.dirname, '../bin/fleetctl.js')

let session: Session
beforeAll(async () => {
  session = await startSession()
})
afterAll(() => session[Symbol.asyncDispose]())

function start(argv: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [launcher, ...argv], {
    env: { PATH: process.env['PATH'], ...session.env, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const ended = once(child, 'close').then(([status]) => status as number | null)
  return { child, ended }
}

async function run(argv: readonly string[], input = '') {
  const { child, ended } = start(argv)
  child.stdin.end(input)
  const [stdout, stderr, status] = await Promise.all([text(child.stdout), text(child.stderr), ended])
  return { status, stdout, stderr }
}

test('--version says the version of the package', async () => {
  expect(await run(['--version'])).toEqual({ status: 0, stdout: 'fleetctl 0.1.0\n', stderr: '' })
})

test('answers on stdout and errors on stderr, each with its status', async () => {
  expect(await run(['device', 'add', 'child'])).toMatchObject({ status: 0, stdout: /^id\tchild\n/ })
  expect(await run(['device', 'get', 'ghost'])).toMatchObject({ status: 3, stdout: '' })
  expect(await run(['device', 'retire', 'child'])).toMatchObject({ status: 2, stdout: '' })
  expect(await run(['devise'])).toMatchObject({ status: 2 })
})

test('reads serial numbers from a pipe', async () => {
  const { status, stdout } = await run(['cert', 'revoke', '--from', '-', '--yes'], 'abcd\nef01\n')
  expect(status).toBe(1)
  expect(stdout).toBe('abcd\trefused\tserial-unknown\nef01\trefused\tserial-unknown\n')
})

test('is quiet when its reader has seen enough', async () => {
  const { child, ended } = start(['audit', 'export', '-'])
  child.stdout.destroy()
  const stderr = await text(child.stderr)
  expect([await ended, stderr]).toEqual([0, ''])
})

test('SIGINT ends what waits, with 130 and one word', async () => {
  const { child, ended } = start(['audit', 'tail', '-f', '-n', '1'])
  await once(child.stdout, 'data')
  child.kill('SIGINT')
  expect(await text(child.stderr)).toBe('fleetctl: interrupted\n')
  expect(await ended).toBe(130)
})

test('SIGINT ends a request that nobody answers', async () => {
  const silent = createServer()
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const url = `https://127.0.0.1:${(silent.address() as AddressInfo).port}`
  const { child, ended } = start(['device', 'list', '--url', url])
  const [socket] = (await once(silent, 'connection')) as [Socket]
  child.kill('SIGINT')
  expect(await ended).toBe(130)
  socket.destroy()
  silent.close()
})
