/** What an authorization service said. `unusable` is no answer, and therefore no. */
export type AuthorizationAnswer =
  | { readonly verdict: 'allowed' }
  | { readonly verdict: 'denied'; readonly reason?: string }
  | { readonly verdict: 'unusable'; readonly why: string }

/** Larger than any answer needs to be. */
export const mostAnswerBytes = 4096

const longestReason = 200
// White space is that of JSON (RFC 8259, section 2).
const yes = /^[ \t\r\n]*\{[ \t\r\n]*"allow"[ \t\r\n]*:[ \t\r\n]*true[ \t\r\n]*\}[ \t\r\n]*$/

/**
 * Reads an answer. Yes is status 200 and exactly `{"allow": true}`: with any other field, or the same one twice, nobody knows
 * what was meant. No is status 200 and `"allow": false`, with a `reason` for the device if there is one.
 */
export function readAnswer(status: number, body: string): AuthorizationAnswer {
  if (status !== 200) return { verdict: 'unusable', why: `status ${status} instead of 200` }
  if (yes.test(body)) return { verdict: 'allowed' }
  let json: unknown
  try {
    json = JSON.parse(body)
  } catch {
    return { verdict: 'unusable', why: 'the answer is not JSON' }
  }
  const { allow, reason } = (json ?? {}) as { allow?: unknown; reason?: unknown }
  if (allow !== false) {
    return { verdict: 'unusable', why: 'the answer is neither exactly {"allow": true} nor a denial' }
  }
  return {
    verdict: 'denied',
    ...(typeof reason === 'string' && reason !== '' && { reason: reason.slice(0, longestReason) }),
  }
}
