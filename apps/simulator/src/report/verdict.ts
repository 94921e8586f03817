import type { Census } from '../accounting/census.ts'

/** Whether a run proved what it set out to prove; `reasons` are clauses that name what it did not. */
export type Verdict = { readonly ok: true } | { readonly ok: false; readonly reasons: readonly string[] }

/**
 * The verdict of a run that is over: every device enrolled, connected and published, every command was
 * answered, and every acknowledged message arrived; at the end of a run that ended by itself, every device is
 * still connected and nothing is left unacknowledged. An interrupted run (`signal`) is judged by the rest alone,
 * because its servers were told to stop as well: what was not reached was not proven.
 */
export function judge(census: Census, endedBy: 'duration' | 'signal'): Verdict {
  const { devices, ledger } = census
  const counts = ledger.counts()
  const identities = census.enrolled + census.reused
  const published = ledger.devicesAcknowledged
  const unanswered = census.connected - census.commands.answered
  const reasons: string[] = []

  if (identities < devices) reasons.push(`${devices - identities} of ${devices} devices did not enroll`)
  else if (census.connected < devices) {
    reasons.push(`${devices - census.connected} of ${devices} devices did not connect`)
  } else if (published < devices) {
    reasons.push(`${devices - published} of ${devices} devices published nothing that was acknowledged`)
  }
  if (endedBy === 'duration') {
    const offline = census.connected - census.online
    if (offline > 0) reasons.push(`${offline} of ${census.connected} devices were not connected at the end`)
    const open = counts.published - counts.acknowledged
    if (open > 0) reasons.push(`${open} of ${counts.published} messages were never acknowledged`)
  }
  if (census.exhausted > 0) {
    reasons.push(
      `${census.exhausted} of ${devices} devices have a certificate that expired and is not renewed`,
    )
  }
  if (counts.undelivered > 0) {
    const [first] = ledger.undelivered(1)
    const example = first === undefined ? '' : `, the first is number ${first.sequence} of ${first.device}`
    reasons.push(`${counts.undelivered} of ${counts.acknowledged} acknowledged messages were lost${example}`)
  }
  if (census.unexpected > 0) {
    reasons.push(`${census.unexpected} messages arrived that their device had not published`)
  }
  if (unanswered > 0)
    reasons.push(`${unanswered} of ${census.connected} connected devices did not answer their command`)
  return reasons.length === 0 ? { ok: true } : { ok: false, reasons }
}
