/** What a stop signal means to a run. */
export interface Interruption {
  /** Resolves when the run is to end. */
  readonly begun: Promise<void>
  /** Aborted when what is under way must be given up. */
  readonly giveUp: AbortSignal
}

/** After `signal`, what is under way has `graceMs` milliseconds to finish. */
export function interruption(signal: AbortSignal, graceMs: number): Interruption {
  const { promise, resolve } = Promise.withResolvers<void>()
  const controller = new AbortController()
  const begin = (): void => {
    resolve()
    setTimeout(() => controller.abort(signal.reason), graceMs).unref()
  }
  if (signal.aborted) begin()
  else signal.addEventListener('abort', begin, { once: true })
  return { begun: promise, giveUp: controller.signal }
}
