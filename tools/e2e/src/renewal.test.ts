import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type App, freePort, startApp, temporaryFolder, writeCaKeys } from '@fleetroot/harness'
import { X509Certificate } from 'node:crypto'
import { afterAll, describe, expect, test } from 'vitest'

// Every certificate but the CAs' lives fifteen seconds: devices, broker, subscriber and enrollment server renew theirs
// while messages flow.

const folder = temporaryFolder()
const apps: App[] = []

afterAll(async () => {
  await Promise.all(apps.map((app) => app.stop()))
  folder[Symbol.dispose]()
})

/** Serial numbers of the certificates in use, by the path of their store below the data directory. */
async function serials(data: string, stores: string[]): Promise<Record<string, string>> {
  const read = async (store: string) => {
    const text = await readFile(join(data, store, 'identity.pem'), 'utf8')
    return [store, new X509Certificate(text.slice(text.indexOf('-----BEGIN CERT'))).serialNumber] as const
  }
  return Object.fromEntries(await Promise.all(stores.map(read)))
}

describe('a fleet whose certificates live fifteen seconds', () => {
  test('renews every one of them while connected, and loses no acknowledged message', async () => {
    const data = join(folder.path, 'data')
    writeCaKeys(data)
    const env = {
      FLEETROOT_DATA: data,
      FLEETROOT_ENROLLMENT_PORT: String(await freePort()),
      FLEETROOT_ENROLLMENT_METRICS_PORT: String(await freePort()),
      FLEETROOT_BROKER_PORT: String(await freePort()),
      FLEETROOT_BROKER_METRICS_PORT: String(await freePort()),
    }
    const start = (...[name, flags]: [Parameters<typeof startApp>[0], string[]]): App => {
      const app = startApp(name, flags, env)
      apps.push(app)
      return app
    }
    start('enrollment-server', ['--device-lifetime=15s', '--service-lifetime=15s'])
    start('broker', [])
    const file = join(folder.path, 'report.json')
    const fleet = start('simulator', ['--plain', '--devices=5', '--rate=20', `--report=${file}`])
    await fleet.waitFor(/5 of 5 devices answered a command/)
    const devices = (await readdir(join(data, 'simulator/devices'))).map((id) => `simulator/devices/${id}`)
    const stores = [...devices, 'simulator/identity', 'broker/identity']
    const before = await serials(data, stores)

    const unchanged = async (): Promise<string[]> => {
      const now = await serials(data, stores)
      return stores.filter((store) => before[store] === now[store])
    }
    await expect.poll(unchanged, { timeout: 90_000, interval: 200 }).toEqual([])
    await fleet.waitFor(/([5-9]|\d\d) renewed/)
    expect(await fleet.stop(), fleet.output()).toEqual({ status: 0, signal: null })
    for (const store of stores) expect(await readdir(join(data, store))).toEqual(['identity.pem'])

    const report = JSON.parse(await readFile(file, 'utf8')) as Record<string, number>
    expect(report).toMatchObject({ ok: true, devices: 5, lost: 0, refused: 0, unexpected: 0, errors: [] })
    expect(report['renewed']).toBeGreaterThanOrEqual(5)
    expect(report['published']).toBeGreaterThan(5 * 20 * 5)
    expect(fleet.output()).toMatch(/renewals while connected/)
  })
})
