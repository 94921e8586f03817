import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { join } from 'node:path'
import { connect } from 'node:tls'
import {
  type App,
  freePort,
  type Operator,
  operator,
  startApp,
  temporaryFolder,
  writeCaKeys,
} from '@fleetroot/harness'
import { createCsr, exportPrivateKey, generateKeyPair, toPem } from '@fleetroot/pki'
import { clientTlsOptions, type KeyAndCertificate } from '@fleetroot/tls-config'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WireClient } from '../testing/wire-client.ts'

const operations = readFileSync(new URL('../../../../docs/operations.md', import.meta.url), 'utf8').replace(
  /^[^]*## The broker's metrics/,
  '',
)

let folder: ReturnType<typeof temporaryFolder>
let admin: Operator
let broker: App
let server: App
let port: number
let adminPort: number
let brokerEnv: Record<string, string>

beforeAll(async () => {
  folder = temporaryFolder()
  writeCaKeys(folder.path)
  server = startApp('enrollment-server', [], { FLEETROOT_DATA: folder.path })
  const url = new URL(await server.ready())
  admin = operator(folder.path, url.href)
  port = await freePort()
  adminPort = await freePort()
  brokerEnv = {
    FLEETROOT_DATA: folder.path,
    FLEETROOT_ENROLLMENT_PORT: url.port,
    FLEETROOT_BROKER_METRICS_PORT: String(port),
    FLEETROOT_BROKER_ADMIN_PORT: String(adminPort),
    FLEETROOT_BROKER_PORT: String(await freePort()),
    FLEETROOT_LOG_LEVEL: 'info',
  }
  broker = startApp('broker', [], brokerEnv)
  await broker.ready()
})
afterAll(async () => {
  admin.close()
  await Promise.all([broker.stop('SIGKILL'), server.stop('SIGKILL')])
  folder[Symbol.dispose]()
})

async function ask(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  })
  return { status: response.status, body: await response.json() }
}

async function enroll(id: string, record: Record<string, unknown> = {}): Promise<KeyAndCertificate> {
  const token = await admin.token(id, record)
  const { privateKey } = generateKeyPair('P-256')
  const csr = toPem('CERTIFICATE REQUEST', createCsr({ privateKey, commonName: id }))
  const { body } = await admin.call('POST', '/v1/enrollments', { csr }, { authorization: `Bearer ${token}` })
  const { certificate, chain } = body as { certificate: string; chain: string[] }
  return { key: exportPrivateKey(privateKey), cert: [certificate, ...chain].join('') }
}

async function joinAs(id: string, identity: KeyAndCertificate, clean = true): Promise<WireClient> {
  const trust = [readFileSync(join(folder.path, 'public/root.crt'), 'utf8')]
  const brokerPort = Number(brokerEnv['FLEETROOT_BROKER_PORT'])
  const socket = connect({
    ...clientTlsOptions({ trust, identity, mode: 'compatible' }),
    host: '127.0.0.1',
    port: brokerPort,
  })
  const client = new WireClient(socket)
  await once(socket, 'secureConnect')
  expect((await client.connect({ clientId: id, clean })).returnCode).toBe(0)
  return client
}

describe('the sessions of a running broker', () => {
  test('are listed in pages, inspected and disconnected', async () => {
    const clients = []
    for (const id of ['a', 'b', 'c']) clients.push(await joinAs(id, await enroll(id)))
    await clients[1]!.subscribe('devices/b/commands/#')
    const first = (await ask('GET', '/v1/sessions?limit=2')).body as { items: { id: string }[]; next: number }
    expect(first.items.map(({ id }) => id)).toEqual(['a', 'b'])
    const second = (await ask('GET', `/v1/sessions?after=${first.next}`)).body as typeof first
    expect(second.items.map(({ id }) => id)).toEqual(['c'])
    expect(second.next).toBeUndefined()
    expect((await ask('GET', '/v1/sessions?id=b')).body).toMatchObject({ items: [{ id: 'b', filters: 1 }] })
    expect(await ask('GET', '/v1/sessions/device/b?clientId=b')).toMatchObject({
      status: 200,
      body: {
        items: [
          {
            role: 'device',
            id: 'b',
            clientId: 'b',
            state: 'connected',
            isStored: false,
            listener: 'mqtts',
            address: '127.0.0.1',
            tlsVersion: 'TLSv1.3',
            group: 'X25519MLKEM768',
            filters: ['devices/b/commands/#'],
          },
        ],
      },
    })
    expect(await ask('DELETE', '/v1/sessions/device/b')).toEqual({ status: 200, body: { disconnected: 1 } })
    await clients[1]!.closed
    expect((await ask('DELETE', '/v1/sessions/device/b')).status).toBe(404)
    expect((await ask('GET', '/v1/sessions/device/a?client=a')).body).toMatchObject({
      code: 'invalid-request',
    })
    expect((await ask('GET', '/v1/sessions?limit=0')).body).toMatchObject({
      code: 'invalid-request',
      detail: expect.stringContaining('limit'),
    })
    for (const client of clients) client.stream.destroy()
  })
})

describe('the policy of a running broker', () => {
  test('is shown and explained', async () => {
    expect((await ask('GET', '/v1/policy')).body).toMatchObject({
      inForce: [
        { path: join(folder.path, 'broker/policy.yaml'), roles: { device: { clientIds: ['${id}'] } } },
      ],
    })
    const explain = async (question: object): Promise<unknown> =>
      (await ask('POST', '/v1/policy/explain', { role: 'device', id: 'a', ...question })).body
    expect(await explain({ action: 'publish', topic: 'devices/a/telemetry/t' })).toMatchObject({
      allowed: true,
      rule: { text: 'devices/${id}/telemetry/#', line: expect.any(Number) },
      sentence: expect.stringContaining('policy.yaml'),
    })
    expect(await explain({ action: 'publish', topic: 'devices/b/state' })).toMatchObject({
      allowed: false,
      reason: 'no-rule',
    })
    expect(await explain({ action: 'publish', topic: 'fleet/presence/a' })).toMatchObject({
      allowed: false,
      reason: 'topic-reserved',
    })
    expect(await explain({ action: 'subscribe', topic: 'a/#/b' })).toMatchObject({
      allowed: false,
      reason: 'filter-wildcard',
    })
    expect(await explain({ action: 'connect', clientId: 'a' })).toMatchObject({ allowed: true })
    expect(await explain({ action: 'connect', clientId: 'b' })).toMatchObject({
      allowed: false,
      reason: 'client-id-not-allowed',
    })
    expect(await explain({ action: 'fly' })).toMatchObject({ code: 'invalid-request' })
  })

  test('is reloaded, and a mistake is named while the policy in force stays', async () => {
    const path = join(folder.path, 'broker/policy.yaml')
    const good = readFileSync(path, 'utf8')
    writeFileSync(path, 'version: 1\nroles: { admin: {} }\n')
    expect(await ask('POST', '/v1/policy/reload')).toMatchObject({
      status: 422,
      body: { code: 'policy-invalid', detail: expect.stringContaining('roles.admin: unknown role') },
    })
    expect((await ask('GET', '/v1/policy')).body).toMatchObject({
      inForce: [{ fault: expect.any(String), roles: { device: {} } }],
    })
    writeFileSync(path, good.replace('devices/${id}/state', 'devices/${id}/condition'))
    expect((await ask('POST', '/v1/policy/reload')).status).toBe(200)
    const question = { role: 'device', id: 'a', action: 'publish', topic: 'devices/a/condition' }
    expect((await ask('POST', '/v1/policy/explain', question)).body).toMatchObject({ allowed: true })
    writeFileSync(path, good)
    expect((await ask('POST', '/v1/policy/reload')).status).toBe(200)
  })
})

describe('the port for operators of a running broker', () => {
  const get = async (path: string, identity: KeyAndCertificate): Promise<[number | undefined, unknown]> => {
    const trust = [readFileSync(join(folder.path, 'public/root.crt'), 'utf8')]
    const tls = clientTlsOptions({ trust, identity, mode: 'compatible' })
    const outgoing = request({ ...tls, host: '127.0.0.1', port: adminPort, path, agent: false }).end()
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
    return [response.statusCode, JSON.parse(Buffer.concat(await response.toArray()).toString())]
  }

  test('has the same routes for whoever holds the operator certificate, and nothing for a device', async () => {
    expect(broker.output()).toContain(`broker: administration at https://127.0.0.1:${adminPort}\n`)
    const [key, cert] = ['key.pem', 'cert.pem'].map((file) =>
      readFileSync(join(folder.path, 'operator', file), 'utf8'),
    )
    const operator = { key: key!, cert: cert! }
    expect(await get('/v1/sessions', operator)).toEqual([200, { items: [] }])
    expect(await get('/v1/policy', operator)).toMatchObject([200, { inForce: [{ roles: { device: {} } }] }])
    expect(await get('/v1/sessions', await enroll('thief'))).toMatchObject([403, { code: 'not-an-operator' }])
  })
})

test('the metrics of a running broker are those of the table in docs/operations.md', async () => {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  const shown = [...text.matchAll(/^# TYPE (fleetroot_broker_\w+) /gm)].map(([, name]) => name!)
  const table = [...operations.matchAll(/^\| `(fleetroot_broker_\w+)` +\|.*\|.*\|$/gm)].map(
    ([, name]) => name!,
  )
  expect(table.toSorted()).toEqual(shown.toSorted())
})

test('after kill -9 everybody who was online is said to be offline', async () => {
  const watcher = await enroll('watcher', { profile: 'service' })
  const eve = await joinAs('eve', await enroll('eve'))
  const before = await joinAs('watcher', watcher)
  await before.subscribe('fleet/presence/eve')
  const online = JSON.parse((await before.message('fleet/presence/eve')).payload.toString()) as {
    version: number
  }
  expect(online).toMatchObject({ online: true, reason: 'connected' })
  // What is acknowledged is on disk, and with it whatever came before; presence alone may be 50 ms behind.
  await eve.publish('devices/eve/state', 'on', { retain: true })
  await broker.stop('SIGKILL')
  await Promise.all([eve.closed, before.closed])
  broker = startApp('broker', [], brokerEnv)
  await broker.ready()
  const after = await joinAs('watcher', watcher)
  await after.subscribe('fleet/presence/eve')
  const offline = JSON.parse((await after.message('fleet/presence/eve')).payload.toString()) as {
    version: number
  }
  expect(offline).toMatchObject({ online: false, reason: 'broker-restarted' })
  expect(offline.version).toBeGreaterThan(online.version)
  after.stream.destroy()
})
