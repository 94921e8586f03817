import { DeviceClientError, type DeviceClientErrorCode } from '../error.ts'
import type { HttpsAnswer } from './exchange.ts'
import { retryAfterMs } from './retry-after.ts'

const MAX_REASON_CHARACTERS = 500

/**
 * The error that an answer other than 200 is. `what` names the request ("simpleenroll"). The message carries
 * the server's own reason: text/plain in EST (RFC 7030 section 4.2.3), the detail of a problem (RFC 9457).
 */
export function refusal(answer: HttpsAnswer, what: string, now: Date): DeviceClientError {
  const reason = reasonOf(answer)
  const code = codeOf(answer.status)
  const verb = code === 'pending' ? 'is not decided yet' : code === 'server-failed' ? 'failed' : 'was refused'
  const patience = retryAfterMs(answer.headers['retry-after'], now)
  return new DeviceClientError(
    code,
    `${what} ${verb} (${answer.status})${reason ? `: ${reason}` : hint(code)}`,
    {
      status: answer.status,
      ...(patience === undefined ? {} : { retryAfterMs: patience }),
    },
  )
}

function codeOf(status: number): DeviceClientErrorCode {
  if (status === 202) return 'pending'
  if (status === 401) return 'credential-refused'
  if (status === 403) return 'forbidden'
  if (status === 409) return 'conflict'
  if (status === 429) return 'rate-limited'
  // 408 and 425 say of themselves that the same request may be repeated.
  if (status >= 500 || status === 408 || status === 425) return 'server-failed'
  if (status >= 400 && status !== 404) return 'request-refused'
  return 'response-unexpected'
}

function hint(code: DeviceClientErrorCode): string {
  return code === 'response-unexpected' ? ': check that the URL is that of the enrollment server' : ''
}

function reasonOf({ headers, body }: HttpsAnswer): string {
  const type = headers['content-type'] ?? ''
  const text = body.toString('utf8')
  if (/\bjson\b/.test(type)) return printable(problemDetail(text))
  return type.startsWith('text/plain') ? printable(text) : ''
}

function problemDetail(text: string): string {
  try {
    const problem = JSON.parse(text) as { detail?: unknown; title?: unknown; message?: unknown } | null
    const detail = problem?.detail ?? problem?.title ?? problem?.message
    return typeof detail === 'string' ? detail : ''
  } catch {
    return ''
  }
}

/** The reason goes into logs and terminals: one line, no control characters, not endless. */
function printable(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Cf}\p{Z}]+/gu, ' ')
    .trim()
    .slice(0, MAX_REASON_CHARACTERS)
}
