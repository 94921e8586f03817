/** Runs one piece of work at a time, and not too often. */
export interface Coalescer {
  /** Wants the work done soon; what is wanted while it is being done, or right after, is done once more. */
  request(): void
  /** Does it now, after what is under way, and rejects if it fails. */
  run(): Promise<void>
  close(): Promise<void>
}

/**
 * Returns a {@link Coalescer}: requests start the work at once when it was last started at least `apartMs` ago. Work
 * that was requested and failed is tried again after a second.
 */
export function createCoalescer(
  work: () => Promise<void>,
  { apartMs, onError }: { apartMs: number; onError: (error: unknown) => void },
): Coalescer {
  let last = Promise.resolve()
  let startedAt = -Infinity
  let timer: NodeJS.Timeout | undefined
  let isClosed = false

  function run(): Promise<void> {
    const done = last.then(() => {
      startedAt = performance.now()
      return work()
    })
    last = done.catch(() => undefined)
    return done
  }

  function requestIn(ms: number): void {
    if (isClosed) return
    timer ??= setTimeout(() => {
      timer = undefined
      run().catch((error: unknown) => {
        if (isClosed) return
        onError(error)
        requestIn(1000)
      })
    }, ms)
  }

  return {
    request: () => requestIn(Math.max(0, startedAt + apartMs - performance.now())),
    run,
    close: async () => {
      isClosed = true
      clearTimeout(timer)
      await last
    },
  }
}
