import { Gauge, type Operations } from '@fleetroot/service'
import type { FollowedAuthorities } from '../authorities/followed.ts'
import { onRequest } from './on-request.ts'

/**
 * Shows at `/metrics` which issuing CAs the broker trusts, so that an operator sees that a new one has arrived before it
 * issues. The sessions that a retired one took with it are in `fleetroot_broker_ended_total`, `issuer-retired`.
 */
export function exposeAuthorities(
  register: Operations['register'],
  authorities: Pick<FollowedAuthorities, 'current'>,
): void {
  const trusted = new Gauge({
    name: 'fleetroot_broker_authorities',
    help: 'Issuing CAs that are trusted: 1 for each, by id and state',
    labelNames: ['id', 'state'],
    registers: [],
    collect() {
      this.reset()
      for (const { id, state } of authorities.current.issuing) this.set({ id, state }, 1)
    },
  })
  register.registerMetric(trusted)
  onRequest(register).now('roots', 'Roots that are trusted', () => authorities.current.roots.length)
}
