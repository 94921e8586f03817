import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type App, operator, type Operator, startApp, temporaryFolder, writeCaKeys } from '@fleetroot/harness'

/** A running enrollment server, and a broker where asked for, on free ports with a data directory of their own. */
export interface Fleet extends AsyncDisposable {
  readonly data: string
  readonly root: string
  readonly enrollment: URL
  readonly broker: URL
  readonly admin: Operator
  /** The running broker, where there is one. */
  readonly brokerApp: App | undefined
  /** A path in a private folder beside the data directory. */
  file(name: string): string
}

export async function startFleet(options: {
  broker: boolean
  /** Text of the broker's policy file; left out: the default policy. */
  policy?: string
  brokerArgs?: readonly string[]
  serverArgs?: readonly string[]
}): Promise<Fleet> {
  const folder = temporaryFolder()
  const data = join(folder.path, 'data')
  writeCaKeys(data)
  const apps: App[] = []
  const dispose = async (): Promise<void> => {
    await Promise.all(apps.map((app) => app.stop()))
    folder[Symbol.dispose]()
  }
  try {
    const server = startApp('enrollment-server', options.serverArgs ?? [], { FLEETROOT_DATA: data })
    apps.push(server)
    const enrollment = new URL(await server.ready())
    let broker = new URL('mqtts://127.0.0.1:0')
    let brokerApp: App | undefined
    if (options.broker) {
      const args = [...(options.brokerArgs ?? [])]
      if (options.policy !== undefined) {
        const path = join(folder.path, 'policy.yaml')
        writeFileSync(path, options.policy)
        args.push(`--policy=${path}`)
      }
      brokerApp = startApp('broker', args, {
        FLEETROOT_DATA: data,
        FLEETROOT_ENROLLMENT_PORT: enrollment.port,
        FLEETROOT_LOG_LEVEL: 'info',
      })
      apps.push(brokerApp)
      broker = new URL(await brokerApp.ready())
    }
    const admin = operator(data, enrollment.href)
    return {
      data,
      root: join(data, 'public/root.crt'),
      enrollment,
      broker,
      admin,
      brokerApp,
      file: (name) => join(folder.path, name),
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
