import { presenceTopic } from '@fleetroot/policy'
import type { Presence } from '../presence/presence.ts'
import type { Store } from '../store/store.ts'
import type { Peers } from '../store/peers.ts'
import type { Publishing, PublishingBroker } from './publishing.ts'
import type { Sessions } from './sessions.ts'

/** What an engine does with what it hears from the brokers that share its store. */
export interface FollowingOptions {
  readonly broker: unknown
  readonly publishing: Publishing
  readonly sessions: Sessions
  readonly presence: Presence
  readonly store: Store
}

/** Makes an engine one of several: what it hears passes the same gates, at delivery, as what it has accepted itself. */
export function followPeers(peers: Peers, options: FollowingOptions): void {
  const { broker, publishing, sessions, presence, store } = options

  async function settleAbsence(id: string, settles: string): Promise<void> {
    const isSaid = await presence.absent(id, settles)
    if (!isSaid) store.wills.settle(settles)
  }

  peers.follow({
    onMessage: (message) => {
      if (message.topic.startsWith(`${presenceTopic}/`)) presence.heard(message.payload)
      publishing.deliver(broker as PublishingBroker, message)
    },
    onAsked: (key) => sessions.giveWay(key),
    onAbsent: (id, settles) => {
      // What a store that has failed could not say stays owed, and is told again.
      settleAbsence(id, settles).catch(() => undefined)
    },
    onLost: async () => {
      const open = [...sessions.open]
      for (const session of open) session.end('store-failed')
      await Promise.all(open.map(({ gone }) => gone))
    },
  })
}
