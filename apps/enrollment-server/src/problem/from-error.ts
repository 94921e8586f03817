import { RegistryError } from '../registry/registry-error.ts'
import { type Refusal, RequestRefused } from './refusal.ts'

/** Errors of fastify that are the client's, by fastify's code (https://fastify.dev/docs/latest/Reference/Errors). */
const clientErrors: Readonly<Record<string, Refusal>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    code: 'content-type-unsupported',
    detail: 'Content-Type: must be application/pkcs10 in EST, application/json in REST',
  },
  FST_ERR_CTP_BODY_TOO_LARGE: { code: 'body-too-large', detail: 'body: must be at most 64 KiB' },
  FST_ERR_CTP_EMPTY_JSON_BODY: { code: 'body-missing', detail: 'body: send a JSON object' },
  FST_ERR_CTP_INVALID_JSON_BODY: { code: 'body-malformed', detail: 'body: must be JSON' },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: {
    code: 'request-malformed',
    detail: 'Content-Length: must be the length of the body',
  },
  FST_ERR_MAX_PARAM_LENGTH: { code: 'path-unknown', detail: 'path: a part of it is too long to be anything' },
  FST_ERR_BAD_URL: { code: 'request-malformed', detail: 'path: must be a valid URL path' },
}

/**
 * The refusal for whatever a request handler threw. An error that is nobody's fault but ours becomes
 * `internal`, without a word of what it was; the caller logs it.
 */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof RequestRefused) return error.refusal
  if (error instanceof RegistryError) {
    return { code: 'registry-unavailable', detail: 'registry: try again later', retryAfterSeconds: 5 }
  }
  const { code, statusCode } = (error ?? {}) as { code?: string; statusCode?: number }
  const known = code === undefined ? undefined : clientErrors[code]
  if (known) return known
  // JSON that does not parse arrives as a SyntaxError with a status; so do prototype-poisoning attempts.
  if (statusCode === 400) return { code: 'body-malformed', detail: 'body: cannot be read' }
  return { code: 'internal', detail: 'the server failed; nothing was issued' }
}
