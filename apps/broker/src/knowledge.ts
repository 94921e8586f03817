import type { Certificate } from '@fleetroot/pki'
import type { AppContext, DataDirectory } from '@fleetroot/service'
import { clientTlsOptions, enrollmentServer, type KeyAndCertificate } from '@fleetroot/tls-config'
import { ActivationReporter } from './activation/reporter.ts'
import type { FollowedAuthorities } from './authorities/followed.ts'
import { shownIdentity } from './authorities/own-chain.ts'
import { Current } from './current.ts'
import { enroll } from './enrollment/enrollment.ts'
import { openPolicies, type Policies } from './policies.ts'
import { type Follower, followRevocation } from './revocation/follow.ts'
import { watchReadiness } from './revocation/readiness.ts'
import { Revocation } from './revocation/revocation.ts'
import type { settings } from './settings.ts'

/** What `learn` needs from the process around it. */
export interface LearnOptions extends Pick<
  AppContext<typeof settings>,
  'config' | 'logger' | 'signal' | 'onStop' | 'onHangup'
> {
  readonly data: DataDirectory
  /** Hears what the start is waiting for. */
  readonly onWait: (what: string) => void
  /** Hears what makes the broker unfit to serve; undefined: no longer. */
  readonly onReadiness: (check: 'identity' | 'revocation', reason: string | undefined) => void
}

/** All that a broker goes by and does not decide itself, kept up to date while it runs. */
export interface Knowledge {
  readonly policies: Policies
  readonly authorities: FollowedAuthorities
  readonly revocation: Revocation
  readonly follower: Follower
  /** Its own key and certificate chain, as listeners show them. */
  readonly identity: Current<KeyAndCertificate>
  /** The broker's own, as it is now. */
  readonly ownCertificate: () => Certificate
  /** Tells the enrollment server which certificates have connected. */
  readonly activation: ActivationReporter
}

/**
 * Reads the policies, gets the broker its certificate, and follows the CAs and what they revoke. This is what asks servers
 * and writes files: however many processes serve, one of them does it.
 */
export async function learn(options: LearnOptions): Promise<Knowledge> {
  const { config, logger, signal, onStop, onHangup, data, onWait, onReadiness } = options
  const url = config.enrollmentUrl ?? `https://127.0.0.1:${config.enrollmentPort}`

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
  const readiness = watchReadiness({ revocation, ownCertificate, onReadiness, log: logger })
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
  const shownNow = new Current<KeyAndCertificate>(shown())
  authorities.subscribe(() => shownNow.set(shown()))
  // New connections see the new certificate; sessions that stand go on.
  const renewal = keepValid((next) => {
    ownIdentity = next
    shownNow.set(shown())
  })
  // What is under way may be cut off at any step: the identity store is made for that.
  onStop('renewal', () => void renewal.stop())
  return { policies, authorities, revocation, follower, identity: shownNow, ownCertificate, activation }
}
