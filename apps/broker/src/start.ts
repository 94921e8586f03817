import type { Certificate } from '@fleetroot/pki'
import type { AdminRoute, AppContext, DataDirectory } from '@fleetroot/service'
import { clientTlsOptions, enrollmentServer } from '@fleetroot/tls-config'
import { ActivationReporter } from './activation/reporter.ts'
import { openOperatorListener, type OperatorListener } from './admin/operator-listener.ts'
import type { FollowedAuthorities } from './authorities/followed.ts'
import { shownIdentity } from './authorities/own-chain.ts'
import { type Broker, createBroker } from './broker.ts'
import { enroll } from './enrollment/enrollment.ts'
import type { BrokerCounts } from './metrics/counts.ts'
import { planListeners } from './listener/configured.ts'
import { openPolicies, type Policies } from './policies.ts'
import { type Follower, followRevocation } from './revocation/follow.ts'
import { watchReadiness } from './revocation/readiness.ts'
import { Revocation } from './revocation/revocation.ts'
import type { settings } from './settings.ts'
import type { StoreCounts } from './store/counts.ts'
import { keepStore } from './store/keep-store.ts'

/** What `startBroker` needs from the process around it. */
export interface StartOptions extends Pick<
  AppContext<typeof settings>,
  'config' | 'logger' | 'signal' | 'onStop' | 'onHangup'
> {
  readonly data: DataDirectory
  readonly counts: BrokerCounts
  /** Hears what the start is waiting for. */
  readonly onWait: (what: string) => void
  /** Hears what makes the broker unfit to serve; undefined: no longer. */
  readonly onReadiness: (check: 'identity' | 'revocation' | 'store', reason: string | undefined) => void
  readonly storeCounts: StoreCounts
  /** For operators, where the configuration opens a port for them. */
  readonly adminRoutes: readonly AdminRoute[]
}

/** A broker that serves, and what it goes by. */
export interface StartedBroker {
  readonly broker: Broker
  readonly revocation: Revocation
  readonly follower: Follower
  readonly policies: Policies
  readonly authorities: FollowedAuthorities
  /** Where the configuration asks for one. */
  readonly operators: OperatorListener | undefined
  /** The broker's own, as it is now. */
  readonly ownCertificate: () => Certificate
  readonly activation: ActivationReporter
}

/** Policy, own certificate, listeners: everything between a configuration and a broker that serves. */
export async function startBroker(options: StartOptions): Promise<StartedBroker> {
  const { config, logger, signal, onStop, onHangup, data, counts, storeCounts, onWait, onReadiness } = options
  const url = config.enrollmentUrl ?? `https://127.0.0.1:${config.enrollmentPort}`

  const store = await keepStore({ config, data, counts: storeCounts, log: logger, onReadiness, onStop })

  const policies = await openPolicies({ config, logger, onStop, onHangup, data })

  const { identity, authorities, keepValid } = await enroll({
    id: config.id,
    url,
    mode: config.tlsMode,
    data,
    trustFile: config.trustFile,
    tokenFile: config.bootstrapTokenFile,
    waitMs: config.wait,
    signal,
    log: logger,
    onWait,
  })
  let ownIdentity = identity
  const revocation = new Revocation(authorities.current, {
    policy: config.revocationStale,
    afterMs: config.revocationStaleAfter,
    now: Date.now,
  })
  const follower = await followRevocation({
    revocation,
    authorities,
    url,
    mode: config.tlsMode,
    identity: () => ownIdentity,
    data,
    log: logger,
    timing: { pollMs: config.revocationPoll, cutOffPollMs: Math.min(5_000, config.revocationPoll) },
  })
  onStop('revocation', () => follower.close())
  const ownCertificate = (): Certificate => ownIdentity.certificate
  const readiness = watchReadiness({
    revocation,
    ownCertificate,
    onReadiness,
    log: logger,
  })
  onStop('readiness', readiness.close)
  const activation = new ActivationReporter({
    url,
    tls: () =>
      clientTlsOptions({
        trust: authorities.trust,
        mode: config.tlsMode,
        identity: ownIdentity,
        server: enrollmentServer,
      }),
    log: logger,
  })
  onStop('activation', () => activation.close())
  const shown = () => shownIdentity(ownIdentity, authorities.current, new Date())
  const broker = await createBroker({
    identity: shown(),
    authorities: authorities.current,
    policy: policies.of(undefined),
    listeners: planListeners(config, policies),
    revocation,
    store,
    log: logger,
    counts,
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
      maxHeldBackMs: config.maxHeldBack,
    },
  })
  policies.onChange(broker.setPolicy)
  onStop('broker', broker.close)

  const operators =
    config.adminPort === undefined
      ? undefined
      : await openOperatorListener({
          host: config.adminHost ?? config.host,
          port: config.adminPort,
          mode: config.tlsMode,
          routes: options.adminRoutes,
          identity: shown,
          authorities: () => authorities.current,
          revocation,
          counts,
          log: logger,
        })
  if (operators !== undefined) onStop('administration', operators.close)
  const renewIdentity = (): void => {
    broker.setIdentity(shown())
    operators?.renewContext()
  }

  // The CAs that changed while the listeners were being opened included.
  broker.setAuthorities(authorities.current)
  authorities.subscribe((next) => {
    broker.setAuthorities(next)
    renewIdentity()
  })
  // New connections see the new certificate; sessions that stand go on.
  const renewal = keepValid((next) => {
    ownIdentity = next
    renewIdentity()
  })
  // What is under way may be cut off at any step: the identity store is made for that.
  onStop('renewal', () => void renewal.stop())
  // Without revocation data it listens all the same, lets nobody in, and says in the log and at /readyz why.
  await follower.settled
  return { broker, revocation, follower, policies, authorities, operators, ownCertificate, activation }
}
