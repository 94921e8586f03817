import type { ProblemKind } from './kind.ts'

/** What is wrong with a request, whatever it asks for, and with this server. */
export const requestProblemKinds = {
  'body-missing': {
    status: 400,
    title: 'The request has no body.',
    fix: 'Send the CSR: base64 or PEM in EST, `{"csr": …}` in REST.',
  },
  'body-malformed': {
    status: 400,
    title: 'The body cannot be read.',
    fix: 'Send JSON in REST; base64, PEM or DER in EST.',
  },
  'body-too-large': {
    status: 413,
    title: 'The body is larger than 64 KiB.',
    fix: 'Send one CSR; a CSR is smaller than 10 KiB.',
  },
  'field-invalid': {
    status: 400,
    title: 'A field has a value that it must not have.',
    fix: 'Change the field that `detail` names, as it says.',
  },
  'request-malformed': {
    status: 400,
    title: 'The request is not well-formed HTTP.',
    fix: 'Use an HTTP/1.1 client library.',
  },
  'request-timeout': {
    status: 408,
    title: 'The request did not arrive in time.',
    fix: 'Send the whole request at once.',
  },
  'header-too-large': {
    status: 431,
    title: 'The request header is larger than 16 KiB.',
    fix: 'Send fewer or smaller header fields.',
  },
  'idempotency-key-reused': {
    status: 422,
    title: 'The Idempotency-Key was used for another request.',
    fix: 'Take a new key for every new request, and the same one to repeat a request as it was.',
  },
  'idempotent-answer-secret': {
    status: 409,
    title: 'The request was done before, and its answer held a secret, which is not kept.',
    fix: 'Ask again with a new key; a token that did not arrive expires unused.',
  },
  'precondition-failed': {
    status: 412,
    title: 'It is not as `If-Match` says, or nothing can be compared there.',
    fix: 'Read it again, look at what has changed, and send its new `ETag` if you still want this.',
  },
  'content-type-unsupported': {
    status: 415,
    title: 'The body has a media type that is not read here.',
    fix: 'Use `application/pkcs10` in EST, `application/json` in REST.',
  },
  'method-not-allowed': {
    status: 405,
    title: 'The path exists, the method does not.',
    fix: 'Use a method of the `Allow` header.',
  },
  'path-unknown': {
    status: 404,
    title: 'Nothing is at this path.',
    fix: 'See docs/enrollment.md or `/v1/openapi.json`.',
  },
  'rate-limited': {
    status: 429,
    title: 'Too many requests from this address.',
    fix: 'Wait as long as `Retry-After` says.',
  },
  'attempts-limited': {
    status: 429,
    title: 'Too many failed tokens, or refused manufacturer certificates, from this address.',
    fix: 'Wait as long as `Retry-After` says, and check the token or certificate.',
  },
  'renewals-limited': {
    status: 429,
    title: 'The device has as many valid certificates as it may have.',
    fix: 'Use one that it has, renew after two thirds of its life, and wait as long as `Retry-After` says.',
  },
  'streams-limited': {
    status: 503,
    title: 'Too many event streams are open.',
    fix: 'Close one, and wait as long as `Retry-After` says.',
  },
  'registry-unavailable': {
    status: 503,
    title: 'The registry cannot answer; nothing was changed.',
    fix: 'Retry after a while, with the same key and token.',
  },
  internal: {
    status: 500,
    title: 'The server made a mistake; nothing was issued.',
    fix: 'Retry; if it stays, give the operator the `instance` of the answer, or its time.',
  },
} as const satisfies Record<string, ProblemKind>
