import type { Logger } from '@fleetroot/service'
import type { CertificateRequest, EnrollmentOutcome, Origin } from './request.ts'

/** The one way to a certificate. */
export type Enroll = (
  request: Omit<CertificateRequest, 'origin'>,
  origin: Origin,
) => Promise<EnrollmentOutcome>

/** Puts clock, log and metrics around enrollment: every decision is one line and one count. */
export function withDecisions(
  enroll: (request: CertificateRequest, now: Date) => Promise<EnrollmentOutcome>,
  options: {
    now: () => Date
    logger: Logger
    /** Told every decision: `issued`, `repeated` or the code of the refusal. */
    decided: (protocol: string, decision: string) => void
    /** Told when a certificate was recorded. */
    committed: () => void
  },
): Enroll {
  const { now, logger, decided, committed } = options
  return async (request, origin) => {
    const outcome = await enroll({ ...request, origin }, now())
    if (outcome.ok) committed()
    const decision = outcome.ok ? (outcome.repeated ? 'repeated' : 'issued') : outcome.code
    decided(origin.protocol, decision)
    logger.info(
      {
        decision,
        deviceId: outcome.ok ? outcome.certificate.deviceId : outcome.deviceId,
        credentialKind: request.credential.kind,
        ...origin,
        ...(outcome.ok ? { serial: outcome.certificate.serial } : { detail: outcome.detail }),
      },
      outcome.ok ? 'certificate issued' : 'enrollment refused',
    )
    return outcome
  }
}
