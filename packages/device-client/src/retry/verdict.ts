import { DeviceClientError, type DeviceClientErrorCode } from '../error.ts'

/** What to do after a failure: never again with the same input, or again after at least `waitMs`. */
export type RetryVerdict = { retry: false } | { retry: true; waitMs: number }

/**
 * Says whether the same request can succeed later. The server's Retry-After (RFC 9110 section 10.2.3) is
 * passed on as `waitMs`; 0 means that only the back-off decides. Anything that is not a DeviceClientError
 * is a bug and final.
 */
export function retryVerdict(error: unknown): RetryVerdict {
  if (!(error instanceof DeviceClientError) || !transient[error.code]) return { retry: false }
  return { retry: true, waitMs: error.retryAfterMs ?? 0 }
}

/** Whether waiting may help. */
const transient: Readonly<Record<DeviceClientErrorCode, boolean>> = {
  // The way or the server is out of order, or asks for patience.
  'network-failed': true,
  'timed-out': true,
  pending: true,
  'rate-limited': true,
  'server-failed': true,
  'connection-lost': true,
  // Asking again brings the same answer (400, 401, 403, 409), or an answer that must not be trusted.
  'request-refused': false,
  'credential-refused': false,
  forbidden: false,
  conflict: false,
  'response-unexpected': false,
  'response-too-large': false,
  'response-invalid': false,
  'certificate-wrong-key': false,
  'certificate-wrong-id': false,
  'certificate-untrusted': false,
  'certificate-not-valid-now': false,
  'tls-failed': false,
  'connect-refused': false,
  // Only the caller can help.
  'option-invalid': false,
  'url-invalid': false,
  aborted: false,
  'store-failed': false,
  'store-exposed': false,
  'store-damaged': false,
  'store-other-device': false,
  'credentials-exhausted': false,
  'connection-closed': false,
  'publish-timed-out': false,
  'publish-dropped': false,
  'publish-too-large': false,
  'subscribe-refused': false,
  'handler-failed': false,
  unforeseen: false,
}
