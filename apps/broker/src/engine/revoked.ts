import { refuseStanding } from '../admission/standing.ts'
import type { RevocationView } from '../revocation/revocation.ts'
import type { Session } from './session.ts'
import type { Sessions } from './sessions.ts'

/** What is known of revocations, applied to live sessions. */
export interface RevocationEnforcement {
  /** Bars a session that may not be, and says whether it may. */
  readonly admit: (session: Session) => boolean
  /** Bars everybody when too little is known; for once a second. */
  readonly sweepIfClosed: () => void
  readonly close: () => void
}

/**
 * Ends sessions in the turn in which it becomes known that they may not be: those of one certificate after an
 * event, those of all certificates that stand in a new list. A connection is cut, not closed: the unsent rest
 * of a client that does not read is dropped with it.
 */
export function enforceRevocation(
  { ofCertificate }: Pick<Sessions, 'ofCertificate'>,
  { standingOf, isClosed, subscribe }: RevocationView,
): RevocationEnforcement {
  function admit(session: Session): boolean {
    const refusal = refuseStanding(standingOf(session.identity))
    if (refusal !== undefined) session.bar(refusal.code)
    return refusal === undefined
  }

  const close = subscribe({
    onChange: (certificate) => ofCertificate.of(certificate).forEach(admit),
    onReplaced: () => ofCertificate.all().forEach(admit),
  })
  return {
    admit,
    sweepIfClosed: () => {
      if (isClosed()) ofCertificate.all().forEach(admit)
    },
    close,
  }
}
