import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ConnectionOptions } from 'node:tls'
import { defaultProfiles } from '@fleetroot/pki'
import { enrollAll, freePort, operator, startApp, temporaryFolder } from '@fleetroot/harness'
import { makeAuthority, makeIdentity } from './authority.ts'
import { startMosquitto } from './peer/mosquitto.ts'
import { openDoors } from './load/open-doors.ts'

/** How a client connects. */
export interface BenchClient extends ConnectionOptions {
  readonly host: string
  readonly port: number
  readonly ca: string
  readonly key: string
  readonly cert: string
}

/** A broker under test, with identities that it admits. */
export interface Contender {
  readonly name: string
  readonly pid: number
  /** TLS options of one client: a full handshake, its own certificate. */
  client(id: string): BenchClient
  /** What it refused, by reason, where it says so. */
  refused(): Promise<Map<string, number>>
  stop(): Promise<void>
}

/** Our broker, enrolled with a real enrollment server; every id gets its certificate there. `args`: its flags. */
export async function startOurs(
  devices: readonly string[],
  services: readonly string[],
  args: readonly string[] = openDoors,
): Promise<Contender> {
  const { nodes, stop } = await startNodes(devices, services, [args])
  return { ...nodes[0]!, stop }
}

/** Several of them, which know the same identities. `args`: the flags of each. */
export async function startNodes(
  devices: readonly string[],
  services: readonly string[],
  args: readonly (readonly string[])[],
): Promise<{ readonly nodes: readonly Omit<Contender, 'stop'>[]; readonly stop: () => Promise<void> }> {
  const folder = temporaryFolder()
  const data = join(folder.path, 'data')
  const apps = [
    startApp('enrollment-server', [], { FLEETROOT_DATA: data, FLEETROOT_RATE_LIMIT: '100000000' }),
  ]
  const stop = async (): Promise<void> => {
    await Promise.all(apps.map((app) => app.stop()))
    folder[Symbol.dispose]()
  }
  try {
    const enrollment = new URL(await apps[0]!.ready())
    const admin = operator(data, enrollment.href)
    const identities = new Map([
      ...(await enrollAll(admin, devices, { profile: 'device' })),
      ...(await enrollAll(admin, services, { profile: 'service' })),
    ])
    admin.close()
    const ca = readFileSync(join(data, 'public/root.crt'), 'utf8')
    const nodes = await Promise.all(
      args.map(async (flags) => {
        const metricsPort = await freePort()
        const broker = startApp('broker', flags, {
          FLEETROOT_DATA: data,
          FLEETROOT_ENROLLMENT_PORT: enrollment.port,
          FLEETROOT_BROKER_METRICS_PORT: String(metricsPort),
          FLEETROOT_LOG_LEVEL: 'error',
        })
        apps.push(broker)
        const port = Number(new URL(await broker.ready()).port)
        return {
          name: 'fleetroot',
          pid: broker.pid,
          client: (id: string) => ({ host: 'localhost', port, ca, ...identities.get(id)! }),
          refused: () => readRefused(metricsPort),
        }
      }),
    )
    return { nodes, stop }
  } catch (error) {
    await stop()
    throw error
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
    client: (id) => ({
      host: 'localhost',
      port: broker.port,
      ca: authority.root.pem,
      ...identities.get(id)!,
    }),
    refused: async () => new Map(),
    stop: async () => {
      await broker.stop()
      folder[Symbol.dispose]()
    },
  }
}

async function readRefused(metricsPort: number): Promise<Map<string, number>> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
  const lines = text.matchAll(/^fleetroot_broker_refused_total\{reason="([^"]+)"\} (\d+)/gm)
  return new Map([...lines].map(([, reason = '', count]) => [reason, Number(count)]))
}
