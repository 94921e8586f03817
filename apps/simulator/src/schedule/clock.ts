import type { Clock } from './agenda.ts'

/** The process's monotonic clock, in milliseconds. */
export const monotonicClock: Clock = {
  now: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs)
    return () => clearTimeout(timer)
  },
}
