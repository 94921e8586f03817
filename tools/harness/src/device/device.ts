import { fileURLToPath } from 'node:url'
import { type RunningProcess, startProcess } from '../process.ts'
import type { DeviceOrders } from './orders.ts'

/** Starts a device as a process of its own; `nodeArguments` go to Node. The caller stops it. */
export function startDevice(
  orders: DeviceOrders,
  env: Record<string, string> = {},
  nodeArguments: readonly string[] = [],
): RunningProcess {
  const main = fileURLToPath(new URL('main.ts', import.meta.url))
  return startProcess(`device ${orders.id}`, [...nodeArguments, main, JSON.stringify(orders)], env)
}
