import type { Session } from './session.ts'

/** How late a session may end after its certificate. Messages are refused to the millisecond by the gates. */
const intervalMs = 1_000

/**
 * Ends sessions whose certificate has ended, and `onTick` looks after what else comes with time. One timer for all of them, by the wall clock: a timer for each
 * would run by a clock that stands still while the machine sleeps, and cannot be set further than 24.8 days.
 */
export function watchExpiry(
  sessions: ReadonlySet<Session>,
  now: () => number,
  onTick: () => void = () => undefined,
): { readonly close: () => void } {
  const timer = setInterval(() => {
    const time = now()
    for (const session of sessions) {
      if (time >= session.identity.notAfterMs) session.end('certificate-expired')
    }
    onTick()
  }, intervalMs)
  timer.unref()
  return { close: () => clearInterval(timer) }
}
