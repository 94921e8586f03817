import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { type App, type AppName, freePort, operator, startApp, temporaryFolder } from '@fleetroot/harness'
import { createCsr, exportPrivateKey, generateKeyPair, toPem } from '@fleetroot/pki'
import { clientTlsOptions, type KeyAndCertificate } from '@fleetroot/tls-config'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { expectSoon } from '../testing/followed-broker.ts'
import { WireClient } from '../testing/wire-client.ts'

let folder: ReturnType<typeof temporaryFolder>
let apps: App[]
let ports: { enrollment: string; metrics: string }

beforeEach(async () => {
  folder = temporaryFolder()
  apps = []
  ports = { enrollment: String(await freePort()), metrics: String(await freePort()) }
})
afterEach(async () => {
  await Promise.all(apps.map((app) => app.stop('SIGKILL')))
  folder[Symbol.dispose]()
})

function start(name: AppName, ...args: string[]): App {
  const app = startApp(name, args, {
    FLEETROOT_DATA: folder.path,
    FLEETROOT_ENROLLMENT_PORT: ports.enrollment,
    FLEETROOT_BROKER_METRICS_PORT: ports.metrics,
    FLEETROOT_LOG_LEVEL: 'info',
  })
  apps.push(app)
  return app
}

const root = (): string => readFileSync(join(folder.path, 'public/root.crt'), 'utf8')
const admin = () => operator(folder.path, `https://127.0.0.1:${ports.enrollment}`)

async function enrolled(id: string): Promise<KeyAndCertificate> {
  const service = admin()
  const token = await service.token(id)
  const { privateKey } = generateKeyPair('P-256')
  const csr = toPem('CERTIFICATE REQUEST', createCsr({ privateKey, commonName: id }))
  const answer = await service.call('POST', '/v1/enrollments', { csr }, { authorization: `Bearer ${token}` })
  service.close()
  const { certificate, chain } = answer.body as { certificate: string; chain: string[] }
  return { key: exportPrivateKey(privateKey), cert: [certificate, ...chain].join('') }
}

async function change(id: string, what: string): Promise<void> {
  const service = admin()
  const { status, body } = await service.call('POST', `/v1/devices/${id}/${what}`, {})
  service.close()
  if (status !== 200) throw new Error(`${what}: ${status} ${JSON.stringify(body)}`)
}

/** A device that is connected; rejects when the broker does not let it in. */
async function joined(url: string, id: string, identity: KeyAndCertificate): Promise<WireClient> {
  const { hostname, port } = new URL(url)
  const tls = clientTlsOptions({ trust: [root()], identity, mode: 'compatible' })
  const socket = connect({ ...tls, host: hostname, port: Number(port) })
  const client = new WireClient(socket)
  await once(socket, 'secureConnect')
  const { returnCode } = await client.connect({ clientId: id })
  if (returnCode !== 0) throw new Error(`CONNACK ${returnCode}`)
  return client
}

const operations = async (path: string): Promise<string> =>
  (await fetch(`http://127.0.0.1:${ports.metrics}${path}`)).text()

describe('the broker and the enrollment server as processes', () => {
  test('a device that is suspended, resumed and revoked is out, in and out, also when only the broker comes back', async () => {
    const server = start('enrollment-server')
    await server.ready()
    const broker = start('broker')
    const url = await broker.ready()
    expect(await operations('/readyz')).toBe('{"status":"ready"}')
    const [pump, lamp] = await Promise.all([enrolled('pump'), enrolled('lamp')])
    const [first, other] = await Promise.all([joined(url, 'pump', pump), joined(url, 'lamp', lamp)])

    await change('pump', 'suspend')
    await first.closed
    await expect(joined(url, 'pump', pump)).rejects.toThrow('ended')
    const heard = broker.output().length
    await change('pump', 'resume')
    // A release counts when the signed list says so.
    await broker.waitFor(/"list":"devices".*revocation list in use/, heard)
    let again: WireClient | undefined
    while (again === undefined) again = await joined(url, 'pump', pump).catch(() => undefined)
    await change('pump', 'revoke')
    await again.closed
    await other.ping()
    const metrics = await operations('/metrics')
    expect(metrics).toContain('fleetroot_broker_ended_total{reason="certificate-revoked"} 1')
    expect(metrics).toContain('fleetroot_broker_ended_total{reason="certificate-suspended"} 1')
    expect(metrics).toMatch(/fleetroot_broker_refused_total\{reason="certificate-suspended"\} [1-9]/)
    expect(metrics).toContain('fleetroot_broker_revocation_stale 0')
    expect(metrics).toContain('fleetroot_broker_revocation_stream_connected 1')
    expect(metrics).toMatch(/fleetroot_broker_revocation_last_event_id [1-9]/)
    expect(metrics).toMatch(/fleetroot_broker_revocation_age_seconds \d/)

    // What is known goes to the disk after it has closed the session: the cut does not wait for an fsync.
    const state = join(folder.path, 'broker/revocation/state.json')
    await expectSoon(() => readFileSync(state, 'utf8').includes('"mark":"revoked"'))
    await broker.stop('SIGKILL')
    await server.stop()
    const second = start('broker')
    const secondUrl = await second.ready()
    await joined(secondUrl, 'lamp', lamp)
    await expect(joined(secondUrl, 'pump', pump)).rejects.toThrow('ended')
    await second.waitFor(/"reason":"certificate-revoked"/)
    expect(await operations('/readyz')).toBe('{"status":"ready"}')
  })

  test('a broker whose own certificate is revoked says so and is not ready', async () => {
    await start('enrollment-server').ready()
    const broker = start('broker')
    await broker.ready()
    await change('broker', 'revoke')
    const [, serial] = await broker.waitFor(
      /the broker's own certificate (\w+) is revoked: give it a new identity/,
    )
    expect(JSON.parse(await operations('/readyz'))).toEqual({
      status: 'not ready',
      checks: { identity: `the broker's own certificate ${serial} is revoked` },
    })
  })
})
