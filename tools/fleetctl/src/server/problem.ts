import { FleetctlError } from '../error.ts'
import { renewalHint } from './failure.ts'

/** An answer that is no success, as an error with the server's own reason (RFC 9457). */
export function refusal(what: string, status: number, body: string): FleetctlError {
  const { code, detail } = readProblem(status, body)
  const isOwn =
    code === 'certificate-refused' || code === 'certificate-inactive' || code === 'certificate-required'
  if (isOwn) {
    const message = `the server does not accept the operator certificate: ${detail}. ${renewalHint}`
    return new FleetctlError('operator-identity-unusable', message, { problem: { code, status } })
  }
  if (code === 'path-unknown' || code === 'method-not-allowed') {
    const message = `${what}: this enrollment server cannot do that; update it, or check that --url is that of an enrollment server`
    return new FleetctlError('server-too-old', message, { problem: { code, status } })
  }
  return new FleetctlError('refused', `${what}: ${detail} (${code})`, { problem: { code, status } })
}

/** Code and sentence of a problem. Of another answer, what can be said of it. */
export function readProblem(status: number, body: string): { code: string; detail: string } {
  const { code, title, detail } = fieldsOf(body)
  const sentence = [detail, title].find((text): text is string => typeof text === 'string' && text !== '')
  return {
    code: typeof code === 'string' ? code.slice(0, 64) : `http-${status}`,
    detail: sentence === undefined ? `the server answered ${status}` : sentence.slice(0, 1000),
  }
}

function fieldsOf(body: string): { code?: unknown; title?: unknown; detail?: unknown } {
  try {
    const parsed: unknown = JSON.parse(body)
    return typeof parsed === 'object' && parsed !== null ? parsed : {}
  } catch {
    return {}
  }
}
