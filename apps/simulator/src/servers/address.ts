import { type Config, ServiceError } from '@fleetroot/service'
import type { settings } from '../settings.ts'

/** Where one of the two servers is, and what to tell somebody who has not started it. */
export interface ServerAddress {
  readonly name: 'enrollment-server' | 'broker'
  readonly url: string
  /** Its readiness endpoint; undefined when its URL was given: then only the URL itself is known. */
  readonly readyUrl: string | undefined
  readonly startCommand: string
  /** How to tell the simulator that the server is elsewhere. */
  readonly elsewhere: string
}

/** The settings that say where the servers are. */
export type AddressSettings = Pick<
  Config<typeof settings>,
  | 'enrollmentUrl'
  | 'enrollmentPort'
  | 'enrollmentMetricsPort'
  | 'brokerUrl'
  | 'brokerPort'
  | 'brokerMetricsPort'
>

/**
 * Where the servers are, from the settings. Throws ServiceError `config` for port 0, which means "any free
 * port" to a server and nothing to somebody who looks for it.
 */
export function serverAddresses(config: AddressSettings): {
  enrollment: ServerAddress
  broker: ServerAddress
} {
  const local = (url: string | undefined, port: number, scheme: string, variable: string): string => {
    if (url !== undefined) return url
    if (port === 0) {
      throw new ServiceError(
        'config',
        `${variable}=0 does not say where the server is: set it to the port that the server took`,
      )
    }
    return `${scheme}://127.0.0.1:${port}`
  }
  const readyUrl = (url: string | undefined, port: number, variable: string): string | undefined =>
    url === undefined ? `${local(undefined, port, 'http', variable)}/readyz` : undefined

  return {
    enrollment: {
      name: 'enrollment-server',
      url: local(config.enrollmentUrl, config.enrollmentPort, 'https', 'FLEETROOT_ENROLLMENT_PORT'),
      readyUrl: readyUrl(
        config.enrollmentUrl,
        config.enrollmentMetricsPort,
        'FLEETROOT_ENROLLMENT_METRICS_PORT',
      ),
      startCommand: 'npx nx run enrollment-server:serve',
      elsewhere: 'FLEETROOT_ENROLLMENT_PORT and FLEETROOT_ENROLLMENT_METRICS_PORT',
    },
    broker: {
      name: 'broker',
      url: local(config.brokerUrl, config.brokerPort, 'mqtts', 'FLEETROOT_BROKER_PORT'),
      readyUrl: readyUrl(config.brokerUrl, config.brokerMetricsPort, 'FLEETROOT_BROKER_METRICS_PORT'),
      startCommand: 'npx nx run broker:serve',
      elsewhere: 'FLEETROOT_BROKER_PORT and FLEETROOT_BROKER_METRICS_PORT',
    },
  }
}
