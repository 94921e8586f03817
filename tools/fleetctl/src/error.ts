/** What keeps fleetctl from doing what was asked; stable, also in `--json`. The server's own codes come as they are. */
export type FleetctlErrorCode =
  | 'usage'
  | 'not-confirmed'
  | 'interrupted'
  | 'file-unusable'
  | 'data-unusable'
  | 'server-unreachable'
  | 'server-untrusted'
  | 'server-answer-invalid'
  | 'operator-identity-unusable'
  | 'refused'
  | 'root-key-unusable'
  | 'server-too-old'

/** What the process ends with. docs/fleetctl.md lists them; a test compares. */
export const exitStatus = {
  done: 0,
  failed: 1,
  usage: 2,
  refused: 3,
  unreachable: 4,
  interrupted: 130,
} as const

/** One of {@link exitStatus}. */
export type ExitStatus = (typeof exitStatus)[keyof typeof exitStatus]

const statusOf: Readonly<Record<FleetctlErrorCode, ExitStatus>> = {
  usage: exitStatus.usage,
  'not-confirmed': exitStatus.usage,
  interrupted: exitStatus.interrupted,
  'file-unusable': exitStatus.failed,
  'data-unusable': exitStatus.failed,
  'server-unreachable': exitStatus.unreachable,
  'server-untrusted': exitStatus.unreachable,
  'server-answer-invalid': exitStatus.unreachable,
  'operator-identity-unusable': exitStatus.unreachable,
  refused: exitStatus.refused,
  'root-key-unusable': exitStatus.failed,
  'server-too-old': exitStatus.refused,
}

/** Every code of fleetctl's own. */
export const errorCodes = Object.keys(statusOf) as readonly FleetctlErrorCode[]

/**
 * The one error class of fleetctl. `message` is one sentence that names the field or file and the fix, and may hold
 * words of the server: whoever prints it escapes control characters. `problem` is the server's own code.
 */
export class FleetctlError extends Error {
  override readonly name = 'FleetctlError'
  readonly code: FleetctlErrorCode
  readonly problem: { readonly code: string; readonly status: number } | undefined

  constructor(
    code: FleetctlErrorCode,
    message: string,
    options: { cause?: unknown; problem?: { code: string; status: number } } = {},
  ) {
    super(message, { cause: options.cause })
    this.code = code
    this.problem = options.problem
  }

  get exitStatus(): ExitStatus {
    return statusOf[this.code]
  }
}

/** The error of a wrong command line. */
export function usageError(message: string): FleetctlError {
  return new FleetctlError('usage', message)
}
