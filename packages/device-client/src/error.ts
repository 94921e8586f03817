/** Every way in which this package fails. The set is stable: a `switch` over it narrows. */
export type DeviceClientErrorCode =
  // what the caller gave us
  | 'option-invalid'
  | 'url-invalid'
  // the way to the server
  | 'network-failed'
  | 'tls-failed'
  | 'timed-out'
  | 'aborted'
  // what the enrollment server answered
  | 'pending'
  | 'request-refused'
  | 'credential-refused'
  | 'forbidden'
  | 'conflict'
  | 'rate-limited'
  | 'server-failed'
  | 'response-unexpected'
  | 'response-too-large'
  | 'response-invalid'
  // the certificate it gave us
  | 'certificate-wrong-key'
  | 'certificate-wrong-id'
  | 'certificate-untrusted'
  | 'certificate-not-valid-now'
  // the identity on disk
  | 'store-failed'
  | 'store-exposed'
  | 'store-damaged'
  | 'store-other-device'
  | 'credentials-exhausted'
  // the MQTT connection
  | 'connect-refused'
  | 'connection-lost'
  | 'connection-closed'
  | 'publish-timed-out'
  | 'publish-dropped'
  | 'publish-too-large'
  | 'subscribe-refused'
  | 'handler-failed'
  // a bug, here or in what we stand on
  | 'unforeseen'

/** What an error may carry beside its code and its sentence. */
export interface DeviceClientErrorDetails {
  cause?: unknown
  /** HTTP status of the enrollment server, or CONNACK return code of the broker. */
  status?: number
  /** What the server asked us to wait (HTTP Retry-After), in milliseconds. */
  retryAfterMs?: number
  /** Code of the TLS failure as `explainTlsFailure` names it; only with `tls-failed`. */
  tlsCode?: string
}

/**
 * The one error of this package. `code` is stable; `message` says what happened and what to do, and
 * holds no secret; `cause` is private.
 */
export class DeviceClientError extends Error {
  readonly code: DeviceClientErrorCode
  readonly status: number | undefined
  readonly retryAfterMs: number | undefined
  readonly tlsCode: string | undefined

  constructor(code: DeviceClientErrorCode, message: string, details: DeviceClientErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'DeviceClientError'
    this.code = code
    this.status = details.status
    this.retryAfterMs = details.retryAfterMs
    this.tlsCode = details.tlsCode
  }
}
