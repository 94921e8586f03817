import { type AppContext, createOperations, formatDuration, type Operations } from '@fleetroot/service'
import type { settings } from './settings.ts'

/** The operations listener of the broker, and those who tell it what there is to tell. */
export interface BrokerOperations {
  readonly operations: Operations
  /** Hears what the start is waiting for. */
  readonly onWait: (what: string) => void
  /** Hears what makes the broker unfit to serve; undefined: no longer. */
  readonly onReadiness: (check: string, reason: string | undefined) => void
}

/** Opens it, until the process stops. */
export async function openOperations(
  { name, config, signal, onStop }: AppContext<typeof settings>,
  options: Pick<Parameters<typeof createOperations>[0], 'routes' | 'checks' | 'others'>,
): Promise<BrokerOperations> {
  const operations = createOperations({
    ...options,
    port: config.metricsPort,
    host: config.metricsHost,
    signal,
  })
  onStop('operations', () => operations.close())
  await operations.listen()
  return {
    operations,
    onWait: (what) => {
      operations.setNotReady('identity', `waiting for ${what}`)
      process.stdout.write(`${name}: waiting for ${what}, up to ${formatDuration(config.wait)}\n`)
    },
    onReadiness: (check, reason) => {
      if (reason === undefined) operations.setReady(check)
      else operations.setNotReady(check, reason)
    },
  }
}
