import { join } from 'node:path'
import { root, type RunningProcess, startProcess } from './process.ts'

export type AppName = 'enrollment-server' | 'broker' | 'simulator'

/** A running app. */
export interface App extends RunningProcess {
  /** What stands behind `listening on` in its ready line, e.g. `https://127.0.0.1:8443`. */
  ready(): Promise<string>
}

/**
 * Starts an app as its users do, as a process of its own, with every port free (0) unless `env` says otherwise.
 * The caller stops it.
 */
export function startApp(name: AppName, args: readonly string[], env: Record<string, string>): App {
  const main = join(root, 'apps', name, 'src/main.ts')
  const app = startProcess(name, [main, ...args], { ...anyPort, ...env })
  const isReady = new RegExp(`^${name}: listening on (\\S+)`, 'm')
  return { ...app, ready: async () => (await app.waitFor(isReady))[1] ?? '' }
}

const anyPort = {
  FLEETROOT_ENROLLMENT_PORT: '0',
  FLEETROOT_ENROLLMENT_HTTP_PORT: '0',
  FLEETROOT_ENROLLMENT_METRICS_PORT: '0',
  FLEETROOT_BROKER_PORT: '0',
  FLEETROOT_BROKER_WSS_PORT: '0',
  FLEETROOT_BROKER_METRICS_PORT: '0',
  FLEETROOT_SIMULATOR_METRICS_PORT: '0',
}
