import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { parseSerial, type SerialNumber } from '@fleetroot/pki'
import { createLogger } from '@fleetroot/service'
import { clientTlsOptions, enrollmentServer, serverTlsOptions } from '@fleetroot/tls-config'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { issueFor, makeAuthority } from '../testing/authority.ts'
import { ActivationReporter } from './reporter.ts'

/** What one request told. */
let told: string[][]
let status: number
let reporter: ActivationReporter
let lines: string[]
let close: () => Promise<void>
beforeEach(async () => {
  told = []
  lines = []
  status = 200
  const authority = await makeAuthority()
  const server = createServer(
    serverTlsOptions({
      identity: await issueFor(authority, { profile: 'service', id: 'enrollment-server' }),
      trust: authority.trust,
      mode: 'compatible',
      clientCertificate: 'required',
    }),
    (request, response) => {
      let body = ''
      request.on('data', (chunk: Buffer) => {
        body += chunk.toString()
      })
      request.on('end', () => {
        told.push((JSON.parse(body) as { serials: string[] }).serials)
        response.writeHead(status, { 'content-type': 'application/json' })
        response.end(status === 200 ? '{}' : '{"code":"role-not-allowed"}')
      })
    },
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const identity = await issueFor(authority, { profile: 'service', id: 'broker' })
  reporter = new ActivationReporter({
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    tls: () =>
      clientTlsOptions({ trust: authority.trust, mode: 'compatible', identity, server: enrollmentServer }),
    log: createLogger({
      name: 'broker',
      level: 'info',
      stream: { write: (line: string) => void lines.push(line) },
    }),
    gatherMs: 1,
    backoff: () => 1,
  })
  close = async () => {
    await reporter.close()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})
afterEach(() => close())

const serial = (n: number): SerialNumber => parseSerial((0x10_0000 + n).toString(16).padStart(8, '0'))
const patience = { timeout: 20_000 }

it('many connections share a request, of a thousand at the most', async () => {
  for (let n = 0; n < 2500; n += 1) reporter.connected(serial(n))
  await expect.poll(() => told.map((serials) => serials.length), patience).toEqual([1000, 1000, 500])
  await expect.poll(() => reporter.counts(), patience).toEqual({ waiting: 0, told: 2500, failures: 0 })
})

it('a certificate is told once, however often it connects', async () => {
  reporter.connected(serial(1))
  await expect.poll(() => reporter.counts().told, patience).toBe(1)
  reporter.connected(serial(1))
  reporter.connected(serial(2))
  await expect.poll(() => reporter.counts().told, patience).toBe(2)
  expect(told).toEqual([[serial(1)], [serial(2)]])
})

it('what the server does not take is told again, and the log says once why', async () => {
  status = 403
  reporter.connected(serial(1))
  await expect.poll(() => told.length, patience).toBeGreaterThanOrEqual(3)
  expect(reporter.counts()).toMatchObject({ waiting: 1, told: 0 })
  status = 200
  await expect.poll(() => reporter.counts(), patience).toMatchObject({ waiting: 0, told: 1 })
  const messages = lines.map((line) => JSON.parse(line) as { msg: string; reason?: string })
  expect(messages).toMatchObject([
    { reason: expect.stringMatching(/status 403, role-not-allowed$/) },
    { msg: 'the enrollment server hears again which certificates have connected' },
  ])
})

it('what waits is bounded: the rest is told at the next connection', async () => {
  status = 503
  for (let n = 0; n < 100_500; n += 1) reporter.connected(serial(n))
  expect(reporter.counts().waiting).toBe(100_000)
})

it('closing gives up what waits, and nothing is told any more', async () => {
  status = 503
  reporter.connected(serial(1))
  await expect.poll(() => told.length, patience).toBeGreaterThanOrEqual(1)
  await reporter.close()
  const before = told.length
  reporter.connected(serial(2))
  expect([told.length, reporter.counts().waiting]).toEqual([before, 1])
})
