import type { Operations } from '@fleetroot/service'
import type { StoreCounts } from '../store/counts.ts'
import { onRequest } from './on-request.ts'

/**
 * Shows at `/metrics` what the store keeps, what it costs and what it has dropped; read when somebody asks. Of several
 * workers each knows all stored sessions and retained messages, which are therefore not added up, and the queues of its own.
 */
export function exposeStore(register: Operations['register'], counts: StoreCounts): void {
  const { now, total, labelled } = onRequest(register)
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
  labelled('dropped', 'Messages dropped that a session would have received', ['reason'], () => counts.dropped)
}
