import { copyFile, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { openIdentityStore } from '@fleetroot/device-client'
import {
  type App,
  type DeviceOrders,
  freePort,
  operator,
  type RunningProcess,
  startApp,
  startDevice,
  temporaryFolder,
  writeCaKeys,
} from '@fleetroot/harness'
import { isIssuedBy, parseCertificate, parseCertificates } from '@fleetroot/pki'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

// Every CA of a deployment is replaced while a fleet publishes: the issuing ones, then the root. All certificates but those
// of the CAs, and one, live forty seconds, so that every identity is renewed on the way.

/** `/v1/ca`, as far as it matters here. */
interface Bundle {
  readonly root: string
  readonly roots: string[]
  readonly issuers: { readonly devices: string[]; readonly services: string[] }
  readonly authorities: { readonly id: string; readonly state: string; readonly subjectKeyId: string }[]
}

/** What the simulator reports, as far as it matters here. */
interface Report {
  readonly renewed: number
  readonly errors: readonly { readonly phase: string; readonly message: string }[]
}

const folder = temporaryFolder()
const data = join(folder.path, 'data')
const pinFile = join(folder.path, 'pin.crt')
const processes: RunningProcess[] = []
let env: Record<string, string> = {}
let serverUrl = ''
let brokerUrl = ''
let broker: App

function start(...[name, flags]: [Parameters<typeof startApp>[0], string[]]): App {
  return keep(startApp(name, flags, env))
}

function keep<Process extends RunningProcess>(process: Process): Process {
  processes.push(process)
  return process
}

/** A device that was provisioned with the first root, and learns the others by itself. */
const orders = (id: string, more: Partial<DeviceOrders> = {}): DeviceOrders => ({
  id,
  directory: join(folder.path, 'devices', id),
  trustFile: pinFile,
  anchorsFile: join(folder.path, 'anchors', `${id}.pem`),
  estUrl: serverUrl,
  mqttUrl: brokerUrl,
  renew: 'always',
  ...more,
})

/** As operator, with the certificate and the trust of this moment: they are replaced as well. */
async function call(method: string, path: string, body?: unknown) {
  const admin = operator(data, serverUrl)
  try {
    return await admin.call(method, path, body)
  } finally {
    admin.close()
  }
}

async function newDevice(id: string, record: object = {}): Promise<string> {
  expect((await call('POST', '/v1/devices', { id, ...record })).status).toBe(201)
  const { body } = await call('POST', `/v1/devices/${id}/tokens`, {})
  return (body as { token: string }).token
}

const bundle = async (): Promise<Bundle> => (await call('GET', '/v1/ca')).body as Bundle

async function stateOf(id: string): Promise<string | undefined> {
  return (await bundle()).authorities.find((authority) => authority.id === id)?.state
}

/** Looks again and again; the time limit of the test says when to give up. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await delay(200)
}

/** Introduces the next CA of a kind for two seconds and waits until it issues. */
async function rotate(kind: 'devices' | 'services' | 'root'): Promise<void> {
  const answer = await call('POST', '/v1/ca/rotations', { kind, introduceForSeconds: 2 })
  expect(answer).toMatchObject({ status: 201, body: { id: `${kind}-2`, state: 'introduced' } })
  await until(async () => (await stateOf(`${kind}-2`)) === 'issuing')
}

/** Retires a CA as soon as nobody needs it any more; until then the server refuses. */
async function retire(id: string): Promise<void> {
  await until(async () => {
    const { status, body } = await call('POST', `/v1/ca/${id}/retire`, {})
    if (status === 200) return true
    expect(body).toMatchObject({ status: 409, code: 'authority-in-use' })
    return false
  })
}

/** The identity stores of the fleet and of those who keep up beside it. */
async function storesOfDevices(): Promise<string[]> {
  const directory = join(data, 'simulator/devices')
  const fleet = (await readdir(directory)).map((id) => join(directory, id))
  return [...fleet, ...['pump', 'sleeper'].map((id) => orders(id).directory)]
}

/**
 * Waits until the identity in use in each of the stores is from the next CA of its kind: the server lets a CA go when the
 * next certificate is issued, and its owner is on the old connection until the next one has been tried.
 */
async function allMoved(): Promise<void> {
  const { authorities } = await bundle()
  const keyIdOf = (id: string) => authorities.find((authority) => authority.id === id)?.subjectKeyId
  const services = ['simulator/identity', 'broker/identity'].map((name) => join(data, name))
  const isFrom = async (id: string, store: string): Promise<boolean> => {
    const { certificate } = (await openIdentityStore(store).load()) ?? {}
    return certificate !== undefined && certificate.authorityKeyId === keyIdOf(id)
  }
  await until(async () => {
    const moved = [
      ...(await storesOfDevices()).map((store) => isFrom('devices-2', store)),
      ...services.map((store) => isFrom('services-2', store)),
    ]
    return (await Promise.all(moved)).every(Boolean)
  })
}

const anchorsIn = async (file: string): Promise<string[]> => {
  const text = await readFile(file, 'utf8')
  const count = Number(/^Anchors: (\d+)$/m.exec(text)?.[1])
  return parseCertificates(text)
    .slice(0, count)
    .map(({ pem }) => pem)
}

beforeAll(async () => {
  writeCaKeys(data)
  env = {
    FLEETROOT_DATA: data,
    FLEETROOT_LOG_LEVEL: 'info',
    FLEETROOT_ENROLLMENT_PORT: String(await freePort()),
    FLEETROOT_ENROLLMENT_METRICS_PORT: String(await freePort()),
    FLEETROOT_BROKER_PORT: String(await freePort()),
    FLEETROOT_BROKER_METRICS_PORT: String(await freePort()),
  }
  const config = join(folder.path, 'server.yaml')
  await writeFile(
    config,
    'profiles:\n  meter: { issuer: devices, role: device, keyUsage: [digitalSignature], extendedKeyUsage: [clientAuth], lifetimeSeconds: 86400 }\n',
  )
  const lifetimes = ['device', 'service', 'operator'].map((kind) => `--${kind}-lifetime=40s`)
  const server = start('enrollment-server', [`--config=${config}`, ...lifetimes])
  serverUrl = await server.ready()
  await copyFile(join(data, 'public/root.crt'), pinFile)
  broker = start('broker', [])
  brokerUrl = await broker.ready()
})

afterAll(async () => {
  await Promise.all(processes.map((process) => process.stop('SIGKILL')))
  folder[Symbol.dispose]()
})

describe('a CA that is rolled over under load', () => {
  test('loses no device and no acknowledged message: issuing CAs, then the root, while everybody renews', async () => {
    const reportFile = join(folder.path, 'report.json')
    const fleet = start('simulator', ['--plain', '--devices=6', '--rate=10', `--report=${reportFile}`])
    await fleet.waitFor(/6 of 6 devices answered a command/)
    const [first] = parseCertificates(await readFile(pinFile, 'utf8'))

    // One whose certificate outlives all of this, and one that keeps up.
    const [meterToken, pumpToken] = [await newDevice('meter', { profile: 'meter' }), await newDevice('pump')]
    const meter = keep(startDevice(orders('meter', { token: meterToken })))
    const pump = keep(startDevice(orders('pump', { token: pumpToken })))
    await Promise.all([meter.waitFor(/^acknowledged/m), pump.waitFor(/^acknowledged/m)])

    await rotate('devices')
    await rotate('services')

    // Away before the new root is introduced, and back when the servers are below it.
    const sleeper = keep(startDevice(orders('sleeper', { token: await newDevice('sleeper') })))
    await sleeper.waitFor(/^acknowledged/m)
    await sleeper.stop()
    await rotate('root')
    expect(await readFile(join(folder.path, 'anchors/sleeper.pem'), 'utf8')).not.toContain(
      (await bundle()).root.trim(),
    )
    const back = keep(startDevice(orders('sleeper')))
    await back.waitFor(/^acknowledged/m)

    // What a chain of the first generation is worth: everything until it is retired, with an operator who insists.
    const from = meter.output().length
    await meter.waitFor(/^acknowledged/m, from)
    const refusal = { status: 409, body: { code: 'authority-in-use' } }
    expect(await call('POST', '/v1/ca/devices/retire', {})).toMatchObject(refusal)
    await allMoved()
    await retire('services')
    expect(await call('POST', '/v1/ca/devices/retire', {})).toMatchObject({
      ...refusal,
      body: { detail: expect.stringContaining(': 1 certificates of devices are in use') as string },
    })
    expect(meter.output()).not.toContain('offline')
    expect((await call('POST', '/v1/ca/devices/retire', { force: true })).status).toBe(200)
    await broker.waitFor(/"deviceId":"meter"[^\n]*"reason":"issuer-retired"[^\n]*"session ended"/)
    await meter.waitFor(/(^offline [^]*?){3}/m)
    expect(meter.output().split(/^offline/m)[1]).not.toMatch(/^(online|acknowledged)/m)
    await meter.stop()
    expect((await call('POST', '/v1/devices/meter/retire', {})).status).toBe(200)

    await retire('root')
    const { root, roots, issuers } = await bundle()
    expect(roots).toEqual([root])
    expect(root).not.toBe(first?.pem)

    // Whatever renewed or looked since has the new root and no other.
    const files = [
      join(data, 'broker/anchors.pem'),
      join(data, 'simulator/anchors.pem'),
      ...['pump', 'sleeper'].map((id) => join(folder.path, 'anchors', `${id}.pem`)),
    ]
    await until(async () => {
      const held = await Promise.all(files.map(anchorsIn))
      return held.every((anchors) => anchors.length === 1 && anchors[0] === root)
    })

    // Who knows only the old one, and was never here, is out, and says why.
    const late = keep(startDevice(orders('late', { token: 'none', renew: 'once' })))
    expect((await late.exited).status).toBe(1)
    expect(late.output()).toMatch(/^failed tls-failed/m)

    expect(await fleet.stop(), fleet.output()).toEqual({ status: 0, signal: null })
    const report = JSON.parse(await readFile(reportFile, 'utf8')) as Report
    expect(report).toMatchObject({ ok: true, devices: 6, lost: 0, refused: 0, unexpected: 0 })
    expect(report.renewed).toBeGreaterThanOrEqual(6)
    // Nobody was disconnected for a moment, the service that counts included.
    expect(report.errors).toEqual([])
    await Promise.all([pump.stop(), back.stop()])
    for (const said of [pump.output(), back.output()])
      expect(said).not.toMatch(/^(offline|failed|renewal failed)/m)

    // All of them: certificates of the new issuing CA, chains to the new root.
    const stores = await storesOfDevices()
    expect(stores).toHaveLength(8)
    const [issuing] = issuers.devices.map((pem) => parseCertificate(pem))
    for (const store of stores) {
      const { certificate, chain } = (await openIdentityStore(store).load()) ?? {}
      expect(certificate && issuing && isIssuedBy(certificate, issuing), store).toBe(true)
      expect(
        chain?.map(({ pem }) => pem),
        store,
      ).toEqual([issuing?.pem])
    }
  }, 300_000)
})
