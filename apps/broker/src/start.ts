import type { Broker } from './broker.ts'
import { keepTicketKeys } from './keep-ticket-keys.ts'
import { type Knowledge, learn, type LearnOptions } from './knowledge.ts'
import type { BrokerCounts } from './metrics/counts.ts'
import { serve } from './serve.ts'
import type { StoreCounts } from './store/counts.ts'
import { keepStore } from './store/keep-store.ts'

/** What `startBroker` needs from the process around it. */
export interface StartOptions extends LearnOptions {
  readonly counts: BrokerCounts
  readonly storeCounts: StoreCounts
  /** Hears what makes the broker unfit to serve; undefined: no longer. */
  readonly onReadiness: (check: 'identity' | 'revocation' | 'store', reason: string | undefined) => void
}

/** A broker that serves, and what it goes by. */
export interface StartedBroker extends Knowledge {
  readonly broker: Broker
}

/** Store, policy, own certificate, listeners: everything between a configuration and a broker that serves. */
export async function startBroker(options: StartOptions): Promise<StartedBroker> {
  const { config, logger, onStop, data, counts, storeCounts, onReadiness } = options
  const store = await keepStore({ config, data, counts: storeCounts, log: logger, onReadiness, onStop })
  const known = await learn(options)
  const ticketKeys = keepTicketKeys(options, known.revocation)
  const broker = await serve({ config, logger, onStop, store, counts, known: { ...known, ticketKeys } })
  // Without revocation data it listens all the same, lets nobody in, and says in the log and at /readyz why.
  await known.follower.settled
  return { ...known, broker }
}
