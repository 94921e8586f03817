import type { Logger } from '../log/logger.ts'

/** The one way in which a process stops. Made by `createShutdown`. */
export interface Shutdown {
  /** Aborted when the stop begins. */
  readonly signal: AbortSignal
  readonly isStopping: boolean
  /** Adds a hook; hooks run in reverse order, each awaited, so that what was opened last is closed first. */
  readonly onStop: (what: string, hook: () => void | Promise<void>) => void
  /** Begins the stop, or only raises the exit status when it has begun. */
  readonly begin: (reason: string, status: number) => void
}

/**
 * Runs the hooks once and exits: with the highest status asked for, or 1 when a hook failed or when the whole
 * did not end within `withinMs`.
 */
export function createShutdown(options: {
  withinMs: number
  logger: () => Logger
  exit: (status: number) => void
}): Shutdown {
  const { withinMs, logger, exit } = options
  const hooks: { what: string; hook: () => void | Promise<void> }[] = []
  const controller = new AbortController()
  let status = 0

  async function run(): Promise<void> {
    let current = ''
    // Not unref'd: it must fire even when a hook waits for something that keeps no handle open.
    setTimeout(() => {
      logger().error(`did not stop within ${withinMs / 1000} s: ${current} is still open`)
      exit(1)
    }, withinMs)
    // Popped one by one, because a start that is still under way may add hooks.
    for (let next = hooks.pop(); next; next = hooks.pop()) {
      current = next.what
      try {
        await next.hook()
      } catch (error) {
        status = Math.max(status, 1)
        logger().error({ err: error }, `cannot stop ${next.what} cleanly`)
      }
    }
    exit(status)
  }

  return {
    signal: controller.signal,
    get isStopping() {
      return controller.signal.aborted
    },
    onStop: (what, hook) => void hooks.push({ what, hook }),
    begin: (reason, wanted) => {
      status = Math.max(status, wanted)
      if (controller.signal.aborted) return
      logger().info(`stopping: ${reason}`)
      controller.abort(new Error(`stopping: ${reason}`))
      void run()
    },
  }
}
