import { Counter, Gauge, type Operations } from '@fleetroot/service'
import type { StoreCounts } from '../store/counts.ts'

/**
 * Shows at `/metrics` what the store keeps, what it costs and what it has dropped; read when somebody asks. Of several
 * workers each knows all stored sessions and retained messages, which are therefore not added up, and the queues of its own.
 */
export function exposeStore(register: Operations['register'], counts: StoreCounts): void {
  const registers = [register]
  const now = (name: string, help: string, read: () => number, aggregator: 'sum' | 'max' = 'sum'): Gauge =>
    new Gauge({
      aggregator,
      name: `fleetroot_broker_${name}`,
      help,
      registers,
      collect() {
        this.set(read())
      },
    })
  const total = (name: string, help: string, read: () => number): Counter =>
    new Counter({
      name: `fleetroot_broker_${name}_total`,
      help,
      registers,
      collect() {
        this.reset()
        this.inc(read())
      },
    })

  now('stored_sessions', 'Sessions that outlive their connection', () => counts.sessions, 'max')
  now('queued_messages', 'Messages that wait for sessions, once for each', () => counts.queued)
  now('queued_bytes', 'The same in bytes', () => counts.queuedBytes)
  now('retained_messages', 'Retained messages', () => counts.retained, 'max')
  now('retained_bytes', 'The same in bytes', () => counts.retainedBytes, 'max')
  now(
    'store_failing',
    '1 while the store cannot be written and nothing is acknowledged',
    () => (counts.isFailing ? 1 : 0),
    'max',
  )
  total('store_groups', 'Groups of changes written with one fsync each', () => counts.groups)
  total('store_changes', 'Changes in these groups', () => counts.changes)
  total('store_failures', 'Groups that could not be written', () => counts.failures)
  const dropped = new Counter({
    name: 'fleetroot_broker_dropped_total',
    help: 'Messages dropped that a session would have received',
    labelNames: ['reason'],
    registers,
    collect() {
      dropped.reset()
      for (const [reason, messages] of counts.dropped) dropped.inc({ reason }, messages)
    },
  })
}
