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
  let first: { signal: NodeJS.Signals; at: number } | undefined

  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.on(name, () => {
      if (!first) {
        first = { signal: name, at: Date.now() }
        shutdown.begin(name, 0)
      } else if (!isEcho(first, name)) {
        process.exit(1)
      }
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

/**
 * Ctrl-C under a task runner arrives twice: SIGINT from the terminal to the whole process group, and SIGTERM
 * from the runner that passes it on. The second is the same wish, not impatience: it must not cut the drain off.
 */
function isEcho(first: { signal: NodeJS.Signals; at: number }, name: NodeJS.Signals): boolean {
  return first.signal === 'SIGINT' && name === 'SIGTERM' && Date.now() - first.at < 2000
}
