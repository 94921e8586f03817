import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type App, type AppName, startApp } from './app.ts'
import { writeCaKeys } from './ca-keys.ts'
import { enrollAll, type Enrolled } from './enrolled.ts'
import { temporaryFolder } from './folder.ts'
import { operator, type Operator } from './operator.ts'
import { freePort } from './port.ts'

/** Servers as processes of their own, on one data directory, each started when the test wants it. `startSystem` is a whole one. */
export interface Servers {
  /** The data directory. */
  readonly folder: string
  /** Starts one. The enrollment server has the same port each time; the other ports are free ones, unless `args` say otherwise. */
  readonly start: (name: AppName, ...args: string[]) => App
  /** Registers and enrolls somebody with the enrollment server that runs. */
  readonly enrolled: (id: string, profile?: 'device' | 'service') => Promise<Enrolled>
  /** One call to that server as operator; throws on an answer other than 200. */
  readonly change: (id: string, what: string) => Promise<void>
  /** For a broker whose operations port is to be asked. */
  readonly metricsFlag: string
  /** A page of the operations port of the broker that was started with `metricsFlag`. */
  readonly operations: (path: string) => Promise<string>
  /** The trust anchor, PEM. */
  readonly root: () => string
  /** Kills what is left of them and removes the directory. */
  readonly end: () => Promise<void>
}

/** Chooses ports and makes the directory; nothing runs yet. The test ends it. */
export async function openServers(logLevel: 'info' | 'warn' = 'info'): Promise<Servers> {
  const folder = temporaryFolder()
  writeCaKeys(folder.path)
  const apps: App[] = []
  const port = String(await freePort())
  const metricsPort = String(await freePort())

  async function asOperator<Result>(work: (admin: Operator) => Promise<Result>): Promise<Result> {
    const admin = operator(folder.path, `https://127.0.0.1:${port}`)
    try {
      return await work(admin)
    } finally {
      admin.close()
    }
  }

  return {
    folder: folder.path,
    start: (name, ...args) => {
      const app = startApp(name, args, {
        FLEETROOT_DATA: folder.path,
        FLEETROOT_ENROLLMENT_PORT: port,
        FLEETROOT_LOG_LEVEL: logLevel,
      })
      apps.push(app)
      return app
    },
    enrolled: (id, profile = 'device') =>
      asOperator(async (admin) => (await enrollAll(admin, [id], { profile })).get(id)!),
    change: (id, what) =>
      asOperator(async (admin) => {
        const { status, body } = await admin.call('POST', `/v1/devices/${id}/${what}`, {})
        if (status !== 200) throw new Error(`${what}: ${status} ${JSON.stringify(body)}`)
      }),
    metricsFlag: `--metrics-port=${metricsPort}`,
    operations: async (path) => (await fetch(`http://127.0.0.1:${metricsPort}${path}`)).text(),
    root: () => readFileSync(join(folder.path, 'public/root.crt'), 'utf8'),
    end: async () => {
      await Promise.all(apps.map((app) => app.stop('SIGKILL')))
      folder[Symbol.dispose]()
    },
  }
}
