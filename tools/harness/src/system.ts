import { join } from 'node:path'
import { type App, startApp } from './app.ts'
import { writeCaKeys } from './ca-keys.ts'
import { startDevice } from './device/device.ts'
import type { DeviceOrders } from './device/orders.ts'
import { temporaryFolder } from './folder.ts'
import { type Link, openLink } from './link.ts'
import { operator, type Operator } from './operator.ts'
import { freePort } from './port.ts'
import type { RunningProcess } from './process.ts'

/** The two ways to the broker. */
export const transports = ['mqtts', 'wss'] as const
export type Transport = (typeof transports)[number]

/** An enrollment server, a broker and devices, each a process of its own, with networks between them that can be broken. */
export interface System extends AsyncDisposable {
  readonly data: string
  /** `https://…` of the enrollment server, past every link. */
  readonly serverUrl: string
  /** Of the broker, past every link. */
  readonly ports: Readonly<Record<Transport, number>>
  readonly admin: Operator
  readonly server: App
  readonly broker: App
  /** Between the broker and the enrollment server. */
  readonly upstream: Link
  /** Starts the enrollment server again, on the same data and ports; it must have ended. */
  restartServer(): Promise<void>
  /** The same for the broker, from now on with these variables as well. */
  restartBroker(how?: { readonly env?: Record<string, string> }): Promise<void>
  /** Registers a device and starts it. */
  device(id: string, how?: DeviceStart): Promise<Device>
  /** What starts the same device once more, or another way. */
  orders(id: string, how?: DeviceStart): DeviceOrders
  /** Has a process stopped at the end. */
  keep<Process extends RunningProcess>(process: Process): Process
  /** One call as operator; throws on an answer other than 200. */
  change(path: string, body?: unknown): Promise<void>
  /** A page of the broker's operations port: `/metrics`, `/readyz`. */
  operations(path: string): Promise<string>
}

/** How a device is started. */
export interface DeviceStart extends Pick<DeviceOrders, 'renew'> {
  readonly transport?: Transport
  readonly token?: string
  /** Variables of its process: another clock, say. */
  readonly env?: Record<string, string>
}

/** A device and its way to the broker. */
export interface Device extends RunningProcess {
  readonly id: string
  readonly link: Link
  /** All that it prints from now on. */
  mark(): number
}

/** What a system is started with. */
export interface SystemOptions {
  readonly server?: readonly string[]
  readonly broker?: readonly string[]
  /** Variables of their processes. */
  readonly serverEnv?: Record<string, string>
  readonly brokerEnv?: Record<string, string>
  /** Where the broker finds the enrollment server, instead of the link. */
  readonly enrollmentUrl?: (serverUrl: string, data: string) => Promise<string>
}

/** Starts all of it but the devices, on free ports with a data directory of its own; `await using` or the test ends it. */
export async function startSystem(options: SystemOptions = {}): Promise<System> {
  const folder = temporaryFolder()
  const data = join(folder.path, 'data')
  writeCaKeys(data)
  const [port, httpPort, mqtts, wss, metrics] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ]
  const serverUrl = `https://127.0.0.1:${port}`
  const upstream = await openLink(port)
  const links: Link[] = [upstream]
  const processes: RunningProcess[] = []
  const keep = <Process extends RunningProcess>(process: Process): Process => {
    processes.push(process)
    return process
  }
  const env = { FLEETROOT_DATA: data, FLEETROOT_LOG_LEVEL: 'info' }
  const startServer = async (): Promise<App> => {
    const app = keep(
      startApp('enrollment-server', options.server ?? [], {
        ...env,
        ...options.serverEnv,
        FLEETROOT_ENROLLMENT_PORT: String(port),
        FLEETROOT_ENROLLMENT_HTTP_PORT: String(httpPort),
      }),
    )
    await app.ready()
    return app
  }
  const brokerEnv = { ...options.brokerEnv }
  const startBroker = async (enrollmentUrl: string): Promise<App> => {
    const app = keep(
      startApp('broker', options.broker ?? [], {
        ...env,
        ...brokerEnv,
        FLEETROOT_ENROLLMENT_URL: enrollmentUrl,
        FLEETROOT_BROKER_PORT: String(mqtts),
        FLEETROOT_BROKER_WSS_PORT: String(wss),
        FLEETROOT_BROKER_METRICS_PORT: String(metrics),
      }),
    )
    await app.ready()
    return app
  }
  const dispose = async (): Promise<void> => {
    await Promise.all(processes.map((process) => process.stop('SIGKILL')))
    await Promise.all(links.map((link) => link.close()))
    folder[Symbol.dispose]()
  }

  try {
    let server = await startServer()
    const enrollmentUrl =
      (await options.enrollmentUrl?.(serverUrl, data)) ?? `https://127.0.0.1:${upstream.port}`
    let broker = await startBroker(enrollmentUrl)
    let admin = operator(data, serverUrl)
    const ports = { mqtts, wss }
    const orders: System['orders'] = (id, { transport, token, renew } = {}) => ({
      id,
      directory: join(folder.path, 'devices', id),
      trustFile: join(data, 'public/root.crt'),
      estUrl: serverUrl,
      ...(transport && { mqttUrl: urlOf(transport, ports[transport]) }),
      ...(token !== undefined && { token }),
      ...(renew && { renew }),
    })

    return {
      data,
      serverUrl,
      ports,
      get admin() {
        return admin
      },
      get server() {
        return server
      },
      get broker() {
        return broker
      },
      upstream,
      keep,
      orders,
      restartServer: async () => {
        await server.exited
        server = await startServer()
        admin.close()
        admin = operator(data, serverUrl)
      },
      restartBroker: async ({ env = {} } = {}) => {
        await broker.exited
        Object.assign(brokerEnv, env)
        broker = await startBroker(enrollmentUrl)
      },
      device: async (id, how = {}) => {
        const { transport = 'mqtts' } = how
        const link = await openLink(ports[transport])
        links.push(link)
        const token = await admin.token(id)
        const process = keep(
          startDevice({ ...orders(id, { ...how, token }), mqttUrl: urlOf(transport, link.port) }, how.env),
        )
        return { ...process, id, link, mark: () => process.output().length }
      },
      change: async (path, body = {}) => {
        const answer = await admin.call('POST', path, body)
        if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
      },
      operations: async (path) => (await fetch(`http://127.0.0.1:${metrics}${path}`)).text(),
      [Symbol.asyncDispose]: async () => {
        admin.close()
        await dispose()
      },
    }
  } catch (error) {
    await dispose()
    throw error
  }
}

function urlOf(transport: Transport, port: number): string {
  return transport === 'mqtts' ? `mqtts://127.0.0.1:${port}` : `wss://127.0.0.1:${port}/mqtt`
}

/** Resolves when the device has published once more and the broker has acknowledged it. */
export async function expectPublishing(device: Device): Promise<void> {
  const from = device.mark()
  await device.waitFor(/^acknowledged \d+$/m, from)
}

/** Resolves when the device was turned away `times` more, and had nothing acknowledged meanwhile. */
export async function expectShutOut(device: Device, times = 3): Promise<void> {
  const from = device.mark()
  await device.waitFor(new RegExp(`(^offline [^]*?){${times}}`, 'm'), from)
  const since = device.output().slice(from)
  if (/^(online|acknowledged)/m.test(since)) throw new Error(`${device.id} got in:\n${since}`)
}
