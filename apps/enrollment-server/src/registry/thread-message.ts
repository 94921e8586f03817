import { RegistryError, type RegistryErrorCode } from './registry-error.ts'

/** The name and the input of one call, as it travels to the thread that answers it. */
export type Call = readonly [name: string, input: unknown]

/** An error as it travels back; `code` if it is a RegistryError. */
export interface SentError {
  readonly code?: RegistryErrorCode
  readonly message: string
  readonly stack?: string | undefined
}

/** What came back for one call. */
export type Answer = { readonly value: unknown } | { readonly error: SentError }

/** To a thread: some calls under the number of their batch, or `undefined` to finish. */
export type ToThread = { readonly batch: number; readonly calls: readonly Call[] } | undefined

/** From a thread: it can be asked, it cannot start, or the answers of one batch in the order of its calls. */
export type FromThread =
  | { readonly ready: true }
  | { readonly failed: SentError }
  | { readonly batch: number; readonly answers: readonly Answer[] }

/** An error as the plain values that survive the way between threads. */
export function packError(error: unknown): SentError {
  if (!(error instanceof Error)) return { message: String(error) }
  const { message, stack } = error
  return { message, stack, ...(error instanceof RegistryError && { code: error.code }) }
}

/** The error again: of its class if it is one of the registry, otherwise a bug with the stack of its thread. */
export function unpackError({ code, message, stack }: SentError): Error {
  const error = code ? new RegistryError(code, message) : new Error(message)
  if (stack !== undefined) error.stack = stack
  return error
}
