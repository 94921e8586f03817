import { createServer } from 'node:net'
import { once } from 'node:events'
import { type AppContext, ServiceError } from '@fleetroot/service'
import type { ListenerPlan } from '../listener/open-listeners.ts'
import type { settings } from '../settings.ts'

type Config = AppContext<typeof settings>['config']

/** Throws ServiceError `config` when there are to be several workers and nothing that they could share. */
export function checkWorkers({ workers, redis, store = 'redis' }: Config): void {
  if (workers === 1 || (redis !== undefined && store === 'redis')) return
  const missing = redis === undefined ? 'give --redis=redis://HOST:PORT' : `leave out --store=${store}`
  throw new ServiceError(
    'config',
    `--workers=${workers} (FLEETROOT_BROKER_WORKERS) needs a store that all workers share, which is in Redis: ` +
      `${missing} (FLEETROOT_BROKER_REDIS), or --workers=1`,
  )
}

/**
 * The configuration of one of several workers. What is accepted before anybody is known is shared out, because the kernel
 * gives each worker the same part of the connections: the limits stay those of the node.
 */
export function shareOf(config: Config): Config {
  const share = (limit: number): number => Math.ceil(limit / config.workers)
  return {
    ...config,
    acceptRate: share(config.acceptRate),
    acceptBurst: share(config.acceptBurst),
    acceptRatePerAddress: share(config.acceptRatePerAddress),
    acceptBurstPerAddress: share(config.acceptBurstPerAddress),
    maxHandshakes: share(config.maxHandshakes),
    maxHandshakesPerAddress: share(config.maxHandshakesPerAddress),
  }
}

/**
 * Rejects with Node's error when somebody listens on one of these ports. Workers share their ports with every process of
 * this user that says so, another broker included, and would not notice.
 */
export async function expectFree(plans: readonly ListenerPlan[]): Promise<void> {
  for (const { host, port } of plans) {
    if (port === 0) continue
    const server = createServer()
    server.listen({ host, port, exclusive: true })
    await once(server, 'listening')
    server.close()
    await once(server, 'close')
  }
}
