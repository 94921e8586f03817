import type { Logger } from '@fleetroot/service'
import { type BrokerCounts, count } from '../metrics/counts.ts'
import type { Wills } from '../store/wills.ts'
import type { Gates } from './gates.ts'
import type { Publishing, PublishingBroker } from './publishing.ts'

/** What left wills are judged and published with. */
export interface LeftWillsOptions {
  readonly gates: Pick<Gates, 'mayPublishWill'>
  readonly publishing: Pick<Publishing, 'publishLeft'>
  readonly broker: unknown
  readonly counts: BrokerCounts
  readonly log: Logger
}

/**
 * Publishes the wills of clients that were connected when the broker was killed: their connections have been closed
 * without a DISCONNECT [MQTT-3.1.2-8]. Each is judged as it would be now, so that it must be known what is revoked:
 * whose certificate has ended since or was taken away, and what the policy no longer allows, says nothing more.
 */
export function publishLeftWills(wills: Wills, options: LeftWillsOptions): void {
  const { gates, publishing, broker, counts, log } = options
  for (const left of wills.takeLeft()) {
    const { owner, will, key } = left
    if (gates.mayPublishWill(owner, will)) publishing.publishLeft(broker as PublishingBroker, left)
    else {
      count(counts.denied, 'will not-allowed-any-more')
      log.warn(
        { deviceId: owner.id, role: owner.role, serial: owner.serial, topic: will.topic },
        'will denied',
      )
      wills.settle(key)
    }
  }
}
