/** Why the shell refuses; `config` ends a process with status 2, the others with 1. */
export type ServiceErrorCode =
  | 'config'
  | 'duration-invalid'
  | 'byte-size-invalid'
  | 'data-directory'
  | 'lock-held'

/**
 * The one error class of this package. `message` is public: one sentence that names the setting or the
 * path and the fix, without secrets; `cause` is private. An app may throw it too:
 *
 *     if (config.workers > 1) throw new ServiceError('config', 'workers: more than 1 needs --redis-url')
 */
export class ServiceError extends Error {
  override readonly name = 'ServiceError'
  readonly code: ServiceErrorCode

  constructor(code: ServiceErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }

  /** What the process ends with when this stops it: 2 for wrong usage or configuration, otherwise 1. */
  get exitStatus(): number {
    return this.code === 'config' ? 2 : 1
  }
}
