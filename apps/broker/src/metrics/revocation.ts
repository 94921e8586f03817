import { Gauge, type Operations } from '@fleetroot/service'
import type { Follower } from '../revocation/follow.ts'
import type { Revocation } from '../revocation/revocation.ts'
import { onRequest } from './on-request.ts'

/**
 * Shows at `/metrics` what the broker knows about revoked certificates. The sessions that were closed for it
 * are in `fleetroot_broker_ended_total` by reason.
 */
export function exposeRevocation(
  register: Operations['register'],
  revocation: Revocation,
  follower: Follower,
): void {
  const { now, labelled } = onRequest(register)
  now(
    'revocation_age_seconds',
    'Time since revocation data was known to be complete; NaN before it ever was',
    () => (revocation.status().ageMs ?? Number.NaN) / 1000,
  )
  now('revocation_stale', '1 while that is longer ago than allowed', () =>
    Number(revocation.status().isStale),
  )
  now('revocation_closed', '1 while nobody passes for it', () => Number(revocation.status().isClosed))
  now('revocation_stream_connected', '1 while the event stream is open', () =>
    Number(follower.counts().isConnected),
  )
  now(
    'revocation_last_event_id',
    'Last event up to which everything is known',
    () => follower.counts().lastEventId ?? 0,
  )
  const entries = new Gauge({
    name: 'fleetroot_broker_revocation_entries',
    help: 'Certificates revoked or on hold, by subject key identifier of their issuing CA',
    labelNames: ['issuer'],
    registers: [],
    collect() {
      for (const [issuer, size] of revocation.status().entries) this.set({ issuer }, size)
    },
  })
  register.registerMetric(entries)
  labelled(
    'revocation_feed',
    'Events received, repeated and unreadable ones, gaps, polls of the lists, failures',
    ['what'],
    () => {
      const { events, repeated, unreadable, gaps, polls, failures } = follower.counts()
      return new Map(Object.entries({ events, repeated, unreadable, gaps, polls, failures }))
    },
  )
}
