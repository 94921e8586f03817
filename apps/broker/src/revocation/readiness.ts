import type { Certificate } from '@fleetroot/pki'
import { formatDuration, type Logger } from '@fleetroot/service'
import { refuseStanding } from '../admission/standing.ts'
import type { Revocation } from './revocation.ts'

/** Whose readiness depends on revocations, and who is told. */
export interface ReadinessOptions {
  readonly revocation: Revocation
  /** The broker's own certificate now. */
  readonly ownCertificate: () => Certificate
  /** Undefined: ready. Called whenever that changes, and once at the start. */
  readonly onReadiness: (check: 'identity' | 'revocation', reason: string | undefined) => void
  readonly log: Logger
  readonly intervalMs?: number
}

/**
 * Says, in the log and to whoever balances load, when revocation data is stale or the broker's own certificate is
 * revoked. Looks at every change and once a second, because data grows stale without one.
 */
export function watchReadiness(options: ReadinessOptions): { readonly close: () => void } {
  const { revocation, ownCertificate, onReadiness, log, intervalMs = 1_000 } = options
  const told = new Map<'identity' | 'revocation', string | undefined>()
  let wasStale: boolean | undefined

  function tell(check: 'identity' | 'revocation', reason: string | undefined): void {
    if (told.has(check) && told.get(check) === reason) return
    told.set(check, reason)
    onReadiness(check, reason)
  }

  function look(): void {
    const { ageMs, isStale, isClosed } = revocation.status()
    if (isStale !== wasStale) reportStaleness(isStale, isClosed, ageMs)
    wasStale = isStale
    tell('revocation', isClosed ? closedReason(ageMs) : undefined)
    lookAtOwn()
  }

  function reportStaleness(isStale: boolean, isClosed: boolean, ageMs: number | undefined): void {
    const policy = revocation.staleness.policy
    if (!isStale) return log.info({ policy }, 'revocation data is recent')
    // Before the first look there is nothing that could have gone stale: readiness says that it is awaited.
    if (ageMs === undefined) return log.debug({ policy }, 'nothing is known about revoked certificates yet')
    const consequence = isClosed ? 'nobody passes' : 'whoever was not revoked then still passes'
    const confirmed = `${formatDuration(Math.round(ageMs / 1000) * 1000)} ago`
    return log.error({ policy, confirmed }, `revocation data is stale: ${consequence}`)
  }

  function lookAtOwn(): void {
    const { authorityKeyId = '', serial } = ownCertificate()
    const mark = revocation.set.markOf({ issuerKeyId: authorityKeyId, serial })
    if (mark === 'good' || mark === 'unlisted') return tell('identity', undefined)
    const reason =
      mark === 'untrusted'
        ? `the CA that issued the broker's own certificate ${serial} is no longer trusted`
        : `the broker's own certificate ${serial} is ${mark}`
    if (told.get('identity') !== reason) {
      log.error(
        { serial, reason: refuseStanding(mark)?.code },
        `${reason}: give it a new identity, or resume it`,
      )
    }
    return tell('identity', reason)
  }

  const unsubscribe = revocation.subscribe({ onChange: look, onReplaced: look, onRecent: look })
  const timer = setInterval(look, intervalMs)
  look()
  return {
    close: () => {
      unsubscribe()
      clearInterval(timer)
    },
  }
}

function closedReason(ageMs: number | undefined): string {
  return ageMs === undefined
    ? 'nothing is known about revoked certificates yet'
    : 'nothing recent is known about revoked certificates'
}
