import type { Logger } from '@fleetroot/service'
import type { CertificateRequest, EnrollmentOutcome, EnrollmentStep } from '../enrollment/request.ts'
import type { Refusal } from '../problem/refusal.ts'
import type { AuthorizationAnswer } from './answer.ts'
import type { AuthorizationService } from './webhook.ts'

const retryAfterSeconds = 10

/**
 * Puts the authorization service between a decision that would be a yes and its certificate. Enrollment stops there with a
 * question, before anything is signed or used up; after a yes it begins again and decides anew, by what the registry says then. So
 * a refusal or a wait leaves the token as it was, and of many requests that waited with one token a single one uses it. The
 * thread that writes waits for nobody.
 */
export function withAuthorization(
  enroll: (request: CertificateRequest, now: Date) => Promise<EnrollmentStep>,
  service: Pick<AuthorizationService, 'ask'> | undefined,
  logger: Logger,
): (request: CertificateRequest, now: Date) => Promise<EnrollmentOutcome> {
  let failing: string | undefined
  /** Once for each trouble, not for each device that has it. */
  function report(why: string | undefined): void {
    if (why === failing) return
    failing = why
    if (why === undefined) logger.info('the authorization service answers again')
    else logger.warn({ why }, 'the authorization service gives no answer that counts: nothing is issued')
  }

  return async (request, now) => {
    const first = await enroll(request, now)
    if (!('question' in first)) return first
    const { question, deviceId } = first
    // Without a service nothing asks; if something did, nobody has allowed it.
    const answer = service ? await service.ask(question, request.origin) : nobody
    report(answer.verdict === 'unusable' ? answer.why : undefined)
    if (answer.verdict !== 'allowed') return { ok: false, ...refusalOf(answer), deviceId }
    const second = await enroll({ ...request, authorized: question }, now)
    if (!('question' in second)) return second
    const detail = 'authorization: the device was changed while it was asked for; retry'
    return { ok: false, code: 'authorization-unavailable', detail, retryAfterSeconds, deviceId }
  }
}

const nobody = { verdict: 'unusable', why: 'there is no service' } as const

function refusalOf(answer: Exclude<AuthorizationAnswer, { verdict: 'allowed' }>): Refusal {
  if (answer.verdict === 'denied') {
    const reason = answer.reason ?? 'the service gave no reason'
    return { code: 'authorization-denied', detail: `authorization: ${reason}` }
  }
  // What exactly went wrong is for the operator's log: a device can only wait.
  const detail = 'authorization: the service gave no answer that counts; retry with the same key'
  return { code: 'authorization-unavailable', detail, retryAfterSeconds }
}
