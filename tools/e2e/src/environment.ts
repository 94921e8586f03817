import { freePort } from '@fleetroot/harness'

export const portVariables = [
  'FLEETROOT_ENROLLMENT_PORT',
  'FLEETROOT_ENROLLMENT_HTTP_PORT',
  'FLEETROOT_ENROLLMENT_METRICS_PORT',
  'FLEETROOT_BROKER_PORT',
  'FLEETROOT_BROKER_WSS_PORT',
  'FLEETROOT_BROKER_METRICS_PORT',
  'FLEETROOT_SIMULATOR_METRICS_PORT',
] as const

export type Environment = Record<string, string>

/** An environment with ports of its own, and without what the task runner that runs this test has put there. */
export async function ownEnvironment(data: string): Promise<Environment> {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(NX_|VITEST)/.test(name))
  const env = { ...(Object.fromEntries(inherited) as Environment), FLEETROOT_DATA: data, NO_COLOR: '1' }
  for (const name of portVariables) (env as Environment)[name] = String(await freePort())
  return env
}
