import { Gauge, type Operations } from '@fleetroot/service'
import type { BrokerCounts } from './counts.ts'
import type { Workers } from '../workers/workers.ts'
import { onRequest } from './on-request.ts'

/** Shows at `/metrics` how many workers serve, and how often one had to be started again. */
export function exposeWorkers(register: Operations['register'], workers: Workers): void {
  const { now, total } = onRequest(register)
  now('workers', 'Workers that serve', () => workers.serving)
  total('worker_restarts', 'Workers that ended and were started again', () => workers.restarted)
}

/** Shows how many connections this worker has: whether the kernel gives each its share. */
export function exposeShare(register: Operations['register'], worker: number, counts: BrokerCounts): void {
  const connections = new Gauge({
    name: 'fleetroot_broker_worker_connections',
    help: 'Connections that are open, by worker',
    labelNames: ['worker'],
    registers: [],
    collect() {
      this.set({ worker: String(worker) }, counts.open)
    },
  })
  register.registerMetric(connections)
}
