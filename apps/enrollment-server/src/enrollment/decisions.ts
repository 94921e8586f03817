import type { Logger } from '@fleetroot/service'
import type { AuditRefusal } from '../audit/refusals.ts'
import { type AuditEntry, auditedCsr } from '../registry/audit-log.ts'
import type { Metrics } from '../server/metrics.ts'
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
    /** Told of every certificate that was recorded, and of what it used up. */
    counted: Pick<Metrics, 'certificates' | 'credentialUsed'>
    /** Told when a certificate was recorded. */
    committed: () => void
    /** Writes down that an answer was given again; what changes something writes itself down. */
    repeated: (entry: AuditEntry) => Promise<unknown>
    refused: AuditRefusal
  },
): Enroll {
  const { now, logger, decided, counted, committed, repeated, refused } = options
  async function audit(
    { credential }: Pick<CertificateRequest, 'credential'>,
    outcome: EnrollmentOutcome,
    { protocol, address }: Origin,
  ): Promise<void> {
    const common = { protocol, address, credential: credential.kind }
    // That it asks is written down once, where it is remembered.
    if (!outcome.ok && outcome.code === 'approval-pending') return
    if (!outcome.ok) {
      const { code, detail, deviceId, csr } = outcome
      refused({ ...common, code, detail, deviceId, ...(csr && { csr: auditedCsr(csr) }) })
    } else if (outcome.repeated) {
      const { deviceId, serial } = outcome.certificate
      await repeated({ type: 'repeated', atMs: now().getTime(), about: { ...common, deviceId, serial } })
    }
  }

  return async (request, origin) => {
    const outcome = await enroll({ ...request, origin }, now())
    const decision = outcome.ok ? (outcome.repeated ? 'repeated' : 'issued') : outcome.code
    decided(origin.protocol, decision)
    if (outcome.ok && !outcome.repeated) {
      const { kind } = request.credential
      counted.certificates(kind === 'certificate' ? 'renewed' : 'issued')
      if (kind === 'token' || kind === 'claim') counted.credentialUsed(kind)
    }
    logger.info(
      {
        decision,
        deviceId: outcome.ok ? outcome.certificate.deviceId : outcome.deviceId,
        credentialKind: request.credential.kind,
        ...(request.credential.kind === 'certificate' && request.credential.isLate && { inGrace: true }),
        ...origin,
        ...(outcome.ok ? { serial: outcome.certificate.serial } : { detail: outcome.detail }),
      },
      outcome.ok ? 'certificate issued' : 'enrollment refused',
    )
    if (outcome.ok) committed()
    await audit(request, outcome, origin)
    return outcome
  }
}
