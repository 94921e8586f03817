import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type App, freePort, startApp, temporaryFolder } from '@fleetroot/harness'

/** The report, as its readers outside of the simulator know it. */
type Report = Record<string, unknown> & {
  enrollMs: Record<string, number>
  connectMs: Record<string, number>
  deliveryMs: Record<string, number>
}

const folder = temporaryFolder()
const apps: App[] = []
let env: Record<string, string> = {}

function start(...parameters: Parameters<typeof startApp>): App {
  const app = startApp(...parameters)
  apps.push(app)
  return app
}

/** Runs a fleet to its end. */
async function fleet(...flags: string[]): Promise<{ status: number | null; output: string; report: Report }> {
  const file = join(folder.path, 'report.json')
  const app = start('simulator', ['--plain', `--report=${file}`, ...flags], env)
  const { status } = await app.exited
  const report = JSON.parse(await readFile(file, 'utf8').catch(() => '{}')) as Report
  return { status, output: app.output(), report }
}

beforeAll(async () => {
  env = {
    FLEETROOT_DATA: join(folder.path, 'data'),
    FLEETROOT_ENROLLMENT_PORT: String(await freePort()),
    FLEETROOT_ENROLLMENT_METRICS_PORT: String(await freePort()),
    FLEETROOT_BROKER_PORT: String(await freePort()),
    FLEETROOT_BROKER_METRICS_PORT: String(await freePort()),
  }
  // At once, as the task runner starts them: each waits for what it needs.
  start('enrollment-server', [], env)
  start('broker', [], env)
})

afterAll(async () => {
  await Promise.all(apps.map((app) => app.stop()))
  folder[Symbol.dispose]()
})

describe('a fleet of ten devices', () => {
  test('bootstraps its identities, publishes over mutual TLS, loses nothing and says so', async () => {
    const { status, output, report } = await fleet('--devices=10', '--duration=3s', '--seed=1', '--rate=5')
    expect(output).toContain('10 keys made, 10 certificates enrolled')
    expect(output).toMatch(/10 connected over TLSv1\.3 X25519MLKEM768/)
    expect(output).toContain('10 of 10 devices answered a command')
    expect(output).toContain('proven')
    expect(status).toBe(0)
    expect(report).toMatchObject({
      ok: true,
      devices: 10,
      enrolled: 10,
      reused: 0,
      connected: 10,
      lost: 0,
      duplicated: 0,
      refused: 0,
      seed: 1,
      errors: [],
      commands: { sent: 10, answered: 10 },
    })
    expect(report['acknowledged']).toBe(report['published'])
    expect(report['delivered']).toBe(report['acknowledged'])
    // Each device publishes once when it is switched on, and then on its beat.
    expect(report['published']).toBeGreaterThanOrEqual(2 * 10)
    for (const latency of [report.enrollMs, report.connectMs, report.deliveryMs]) {
      expect(latency['p50']).toBeGreaterThan(0)
      expect(latency['p50']).toBeLessThanOrEqual(latency['p90'] ?? 0)
      expect(latency['p90']).toBeLessThanOrEqual(latency['p99'] ?? 0)
      expect(latency['p99']).toBeLessThanOrEqual(latency['max'] ?? 0)
    }
  })

  test('reuses the identities of the run before, byte by byte', async () => {
    const devices = join(folder.path, 'data/simulator/devices')
    const identities = async () =>
      Promise.all(
        (await readdir(devices)).sort().map((id) => readFile(join(devices, id, 'identity.pem'), 'utf8')),
      )
    const before = await identities()
    const { status, report } = await fleet('--devices=10', '--duration=1s')
    expect(status).toBe(0)
    expect(report).toMatchObject({ enrolled: 0, reused: 10, connected: 10, lost: 0, ok: true })
    expect(await identities()).toEqual(before)
  })

  test('grows: what is known is reused, what is new is enrolled', async () => {
    const { status, report } = await fleet('--devices=12', '--duration=1s')
    expect(status).toBe(0)
    expect(report).toMatchObject({ devices: 12, enrolled: 2, reused: 10, connected: 12, lost: 0 })
  })

  test('stops on SIGTERM when it has no duration, settles, writes its report and exits with 0', async () => {
    const file = join(folder.path, 'stopped.json')
    const app = start('simulator', ['--plain', '--devices=10', `--report=${file}`, '--rate=20'], env)
    await app.waitFor(/10 of 10 devices answered a command/)
    expect(await app.stop()).toEqual({ status: 0, signal: null })
    const report = JSON.parse(await readFile(file, 'utf8')) as Report
    expect(report).toMatchObject({ ok: true, endedBy: 'signal', connected: 10, lost: 0 })
  })

  test('counts beside another fleet on the same broker without counting its messages', async () => {
    const other = start('simulator', ['--plain', '--devices=3', '--id-prefix=other', '--rate=20'], env)
    await other.waitFor(/3 of 3 devices answered a command/)
    const { status, report } = await fleet('--devices=3', '--duration=1s', '--rate=5')
    expect(await other.stop()).toEqual({ status: 0, signal: null })
    expect(status).toBe(0)
    expect(report).toMatchObject({ connected: 3, lost: 0, duplicated: 0, unexpected: 0 })
    expect(report['delivered']).toBe(report['published'])
  })
})

describe('a simulator that cannot begin', () => {
  test('says in one sentence which server is missing and what starts it', async () => {
    const nowhere = { ...env, FLEETROOT_BROKER_METRICS_PORT: String(await freePort()) }
    const app = start('simulator', ['--plain', '--wait=200ms'], nowhere)
    expect(await app.exited).toEqual({ status: 1, signal: null })
    expect(app.output()).toMatch(/simulator: no broker at .*; start it with `npx nx run broker:serve`/)
  })

  test('gives up at once when the port belongs to another program', async () => {
    const taken = { ...env, FLEETROOT_BROKER_METRICS_PORT: env['FLEETROOT_BROKER_PORT'] ?? '' }
    const app = start('simulator', ['--plain', '--wait=10m'], taken)
    expect(await app.exited).toEqual({ status: 1, signal: null })
    expect(app.output()).toMatch(/is not the broker: .*; stop that program, or set FLEETROOT_BROKER_PORT/)
  })

  test('does not begin when its report could not be written', async () => {
    const app = start('simulator', [`--report=${join(folder.path, 'no/where.json')}`], env)
    expect(await app.exited).toEqual({ status: 1, signal: null })
    expect(app.output()).toMatch(/where\.json cannot be written: there is no directory/)
  })

  test('refuses a bad flag with status 2 and the nearest right one', async () => {
    const app = start('simulator', ['--divices=5'], env)
    expect(await app.exited).toEqual({ status: 2, signal: null })
    expect(app.output()).toContain('--divices is not an option; did you mean --devices?')
  })
})
