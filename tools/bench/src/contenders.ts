import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ConnectionOptions } from 'node:tls'
import { createCsr, defaultProfiles, exportPrivateKey, generateKeyPair, toPem } from '@fleetroot/pki'
import { operator, startApp, temporaryFolder } from '@fleetroot/harness'
import { makeAuthority, makeIdentity } from './authority.ts'
import { startMosquitto } from './peer/mosquitto.ts'
import { openDoors } from './load/open-doors.ts'

/** A broker under test, with identities that it admits. */
export interface Contender {
  readonly name: string
  readonly pid: number
  /** TLS options of one client: a full handshake, its own certificate. */
  client(id: string): ConnectionOptions
  stop(): Promise<void>
}

/** Our broker, enrolled with a real enrollment server; every id gets its certificate there. */
export async function startOurs(
  devices: readonly string[],
  services: readonly string[],
  args: readonly string[] = [],
): Promise<Contender> {
  const folder = temporaryFolder()
  const data = join(folder.path, 'data')
  const server = startApp('enrollment-server', [], { FLEETROOT_DATA: data })
  const enrollment = new URL(await server.ready())
  const broker = startApp('broker', [...openDoors, ...args], {
    FLEETROOT_DATA: data,
    FLEETROOT_ENROLLMENT_PORT: enrollment.port,
    FLEETROOT_LOG_LEVEL: 'warn',
  })
  const { port } = new URL(await broker.ready())
  const root = readFileSync(join(data, 'public/root.crt'), 'utf8')
  const admin = operator(data, enrollment.href)
  const identities = new Map<string, { key: string; cert: string }>()
  for (const [ids, profile] of [
    [devices, 'device'],
    [services, 'service'],
  ] as const) {
    for (const id of ids) {
      const token = await admin.token(id, { profile })
      const { privateKey } = generateKeyPair('P-256')
      const csr = toPem('CERTIFICATE REQUEST', createCsr({ privateKey, commonName: id }))
      const { body } = await admin.call(
        'POST',
        '/v1/enrollments',
        { csr },
        { authorization: `Bearer ${token}` },
      )
      const { certificate, chain } = body as { certificate: string; chain: string[] }
      identities.set(id, { key: exportPrivateKey(privateKey), cert: [certificate, ...chain].join('') })
    }
  }
  admin.close()
  return {
    name: 'fleetroot',
    pid: broker.pid,
    client: (id) => ({ host: 'localhost', port: Number(port), ca: root, ...identities.get(id) }),
    stop: async () => {
      await broker.stop()
      await server.stop()
      folder[Symbol.dispose]()
    },
  }
}

/** mosquitto with certificates of the same kinds from a CA of its own. */
export async function startTheirs(
  devices: readonly string[],
  services: readonly string[],
): Promise<Contender> {
  const folder = temporaryFolder()
  const authority = await makeAuthority(new Date())
  const names = { dns: ['localhost'] }
  const own = await makeIdentity(authority, 'mosquitto', defaultProfiles.service, names)
  const broker = await startMosquitto(folder.path, { ca: authority.root.pem, ...own })
  const identities = new Map<string, { key: string; cert: string }>()
  for (const id of devices) identities.set(id, await makeIdentity(authority, id))
  for (const id of services) identities.set(id, await makeIdentity(authority, id, defaultProfiles.service))
  return {
    name: 'mosquitto',
    pid: broker.pid,
    client: (id) => ({ host: 'localhost', port: broker.port, ca: authority.root.pem, ...identities.get(id) }),
    stop: async () => {
      await broker.stop()
      folder[Symbol.dispose]()
    },
  }
}
