import { existsSync } from 'node:fs'
import { type Policy, readDefaultPolicy } from '@fleetroot/policy'
import type { AppContext, DataDirectory } from '@fleetroot/service'
import type { FollowedAuthorities } from './authorities/followed.ts'
import { shownIdentity } from './authorities/own-chain.ts'
import { type Broker, createBroker } from './broker.ts'
import { enroll } from './enrollment/enrollment.ts'
import type { BrokerCounts } from './metrics/counts.ts'
import { openPolicy } from './policy/policy-file.ts'
import { type Follower, followRevocation } from './revocation/follow.ts'
import { watchReadiness } from './revocation/readiness.ts'
import { Revocation } from './revocation/revocation.ts'
import type { settings } from './settings.ts'

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
  readonly onReadiness: (check: 'identity' | 'revocation', reason: string | undefined) => void
}

/** A broker that serves, and what it goes by. */
export interface StartedBroker {
  readonly broker: Broker
  readonly revocation: Revocation
  readonly follower: Follower
  readonly authorities: FollowedAuthorities
}

/** Policy, own certificate, listeners: everything between a configuration and a broker that serves. */
export async function startBroker(options: StartOptions): Promise<StartedBroker> {
  const { config, logger, signal, onStop, onHangup, data, counts, onWait, onReadiness } = options
  const running: { broker?: Broker; newPolicy?: Policy } = {}
  const url = config.enrollmentUrl ?? `https://127.0.0.1:${config.enrollmentPort}`

  const policyFile = await openPolicy(await policyPath(config.policy, data), {
    onPolicy: (policy) => {
      running.newPolicy = policy
      running.broker?.setPolicy(policy)
      logger.info('the new policy is in force')
    },
    onError: (err) => logger.error({ err }, 'the policy in force stays'),
  })
  onStop('policy', policyFile.close)
  onHangup(policyFile.check)

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
  const readiness = watchReadiness({
    revocation,
    ownCertificate: () => ownIdentity.certificate,
    onReadiness,
    log: logger,
  })
  onStop('readiness', readiness.close)
  const shown = () => shownIdentity(ownIdentity, authorities.current, new Date())
  const broker = await createBroker({
    identity: shown(),
    authorities: authorities.current,
    policy: running.newPolicy ?? policyFile.policy,
    revocation,
    log: logger,
    host: config.host,
    port: config.port,
    wssPort: config.wssPort,
    mode: config.tlsMode,
    counts,
    limits: {
      maxConnectBytes: config.maxConnectSize,
      maxPacketBytes: config.maxPacketSize,
      maxDenials: config.maxDenials,
      maxFilters: config.maxFilters,
      maxInflight: config.maxInflight,
      maxKeepaliveSeconds: Math.floor(config.maxKeepalive / 1000),
      connectTimeoutMs: config.connectTimeout,
      drainTimeoutMs: config.drainTimeout,
      maxOutboundBytes: config.maxOutbound,
    },
  })
  running.broker = broker
  onStop('broker', broker.close)

  // The CAs that changed while the listeners were being opened included.
  broker.setAuthorities(authorities.current)
  authorities.subscribe((next) => {
    broker.setAuthorities(next)
    broker.setIdentity(shown())
  })
  // New connections see the new certificate; sessions that stand go on.
  const renewal = keepValid((next) => {
    ownIdentity = next
    broker.setIdentity(shown())
  })
  // What is under way may be cut off at any step: the identity store is made for that.
  onStop('renewal', () => void renewal.stop())
  // Without revocation data it listens all the same, lets nobody in, and says in the log and at /readyz why.
  await follower.settled
  return { broker, revocation, follower, authorities }
}

/** The file that was asked for, or the one in the data directory, which is made when it is not there. */
async function policyPath(chosen: string | undefined, data: DataDirectory): Promise<string> {
  if (chosen !== undefined) return chosen
  return data.locked('broker', async () => {
    const path = data.file('broker/policy.yaml')
    if (!existsSync(path)) await data.write('broker/policy.yaml', readDefaultPolicy())
    return path
  })
}
