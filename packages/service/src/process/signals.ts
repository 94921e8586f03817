import type { Logger } from '../log/logger.ts'
import type { Shutdown } from './shutdown.ts'

/**
 * Maps signals to the stop: SIGTERM and SIGINT begin it, a second one exits at once with status 1.
 * SIGHUP runs the hooks given to `onHangup` and never ends the process: supervisors use it to say "reload".
 */
export function handleSignals(
  shutdown: Shutdown,
  logger: () => Logger,
): { onHangup: (hook: () => void | Promise<void>) => void } {
  const hangupHooks: (() => void | Promise<void>)[] = []
  let signalled = false

  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.on(name, () => {
      if (signalled) process.exit(1)
      signalled = true
      shutdown.begin(name, 0)
    })
  }
  process.on('SIGHUP', () => {
    for (const hook of hangupHooks) {
      Promise.resolve()
        .then(hook)
        .catch((error: unknown) => logger().error({ err: error }, 'SIGHUP: the reload failed'))
    }
  })
  return { onHangup: (hook) => void hangupHooks.push(hook) }
}
