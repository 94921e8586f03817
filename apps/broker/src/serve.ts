import type { AppContext } from '@fleetroot/service'
import type { KeyAndCertificate } from '@fleetroot/tls-config'
import type { ActivationReporter } from './activation/reporter.ts'
import type { Authorities } from './authorities/authorities.ts'
import { type Broker, createBroker } from './broker.ts'
import type { Current } from './current.ts'
import { filterBurstOf } from './guard/limits.ts'
import { planListeners } from './listener/configured.ts'
import type { ListenerPlan } from './listener/open-listeners.ts'
import type { TicketKeys } from './listener/ticket-keys.ts'
import type { BrokerCounts } from './metrics/counts.ts'
import type { Policies } from './policies.ts'
import type { RevocationView } from './revocation/revocation.ts'
import type { settings } from './settings.ts'
import type { Store } from './store/store.ts'

/** What a broker that serves goes by: what this process has learned, or what another one relays. */
export interface Known {
  readonly policies: Pick<Policies, 'of' | 'onChange'>
  readonly authorities: {
    readonly current: Authorities
    readonly subscribe: (listener: (next: Authorities) => void) => void
  }
  readonly revocation: RevocationView
  readonly identity: Pick<Current<KeyAndCertificate>, 'current' | 'subscribe'>
  readonly ticketKeys: TicketKeys
  readonly activation: Pick<ActivationReporter, 'connected'>
}

/** What `serve` needs from the process around it. */
export interface ServeOptions extends Pick<AppContext<typeof settings>, 'config' | 'logger' | 'onStop'> {
  readonly store: Store
  readonly counts: BrokerCounts
  readonly known: Known
  /** What becomes of the listeners that the configuration asks for; left out: they are opened as they are. */
  readonly plan?: (listener: ListenerPlan) => ListenerPlan
}

/** Opens the listeners with the limits of the configuration, and puts every change of what is known to use. */
export async function serve(options: ServeOptions): Promise<Broker> {
  const { config, logger, onStop, store, counts, known, plan = (listener) => listener } = options
  const { policies, authorities, revocation, identity, ticketKeys, activation } = known
  const broker = await createBroker({
    identity: identity.current,
    authorities: authorities.current,
    policy: policies.of(undefined),
    listeners: planListeners(config, policies).map(plan),
    revocation,
    store,
    log: logger,
    counts,
    ticketKeys,
    connected: ({ serial }) => activation.connected(serial),
    limits: {
      maxConnectBytes: config.maxConnectSize,
      maxPacketBytes: config.maxPacketSize,
      maxDenials: config.maxDenials,
      maxFilters: config.maxFilters,
      maxInflight: config.maxInflight,
      maxUnacknowledged: config.maxUnacknowledged,
      maxKeepaliveSeconds: Math.floor(config.maxKeepalive / 1000),
      connectTimeoutMs: config.connectTimeout,
      drainTimeoutMs: config.drainTimeout,
      maxOutboundBytes: config.maxOutbound,
      drainSpreadMs: config.drainSpread,
      acceptRate: { perSecond: config.acceptRate, burst: config.acceptBurst },
      acceptRatePerAddress: { perSecond: config.acceptRatePerAddress, burst: config.acceptBurstPerAddress },
      maxHandshakes: config.maxHandshakes,
      maxHandshakesPerAddress: config.maxHandshakesPerAddress,
      handshakeTimeoutMs: config.handshakeTimeout,
      connectRate: { perSecond: config.connectRate, burst: config.connectBurst },
      maxConnections: config.maxConnections,
      messageRate: { perSecond: config.messageRate, burst: config.messageBurst },
      byteRate: { perSecond: config.byteRate, burst: config.byteBurst },
      filterRate: {
        perSecond: config.filterRate,
        burst: config.filterBurst ?? filterBurstOf(config.maxFilters),
      },
      maxHeldBackMs: config.maxHeldBack,
    },
  })
  policies.onChange(broker.setPolicy)
  onStop('broker', broker.close)

  // What changed while the listeners were being opened included.
  broker.setAuthorities(authorities.current)
  broker.setIdentity(identity.current)
  authorities.subscribe(broker.setAuthorities)
  identity.subscribe(broker.setIdentity)
  return broker
}
