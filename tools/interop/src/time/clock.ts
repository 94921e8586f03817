import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Node 26 under libfaketime 0.9.10: `Date` follows the faked clock and so does OpenSSL inside of Node, in all
 * threads. Timers and `performance.now()` must keep their own clock (FAKETIME_DONT_FAKE_MONOTONIC), as on a machine whose
 * clock is set: with the monotonic clock faked as well, timers fire late or all at once after a jump. A clock that
 * changes while the process runs is read from a file at every look (FAKETIME_NO_CACHE; by default once in ten seconds).
 */
const own = { FAKETIME_DONT_FAKE_MONOTONIC: '1' }

/** The variant for programs with threads, where Debian puts it; LD_PRELOAD finds nothing by name there. */
function library(): string {
  for (const triplet of readdirSync('/usr/lib')) {
    const path = join('/usr/lib', triplet, 'faketime/libfaketimeMT.so.1')
    if (existsSync(path)) return path
  }
  throw new Error('libfaketimeMT.so.1 is not below /usr/lib: apt-get install faketime')
}

/**
 * The environment of a process whose clock differs: `-1h`, `+31d`, or begins at `@1970-01-02 00:00:00`. Not by the program
 * `faketime`, which leaves a semaphore named by its process id behind, and fails where it finds one.
 */
export function clockAt(time: string): Record<string, string> {
  return { LD_PRELOAD: library(), FAKETIME: time, ...own }
}

/** A clock that a test sets while processes run by it. */
export interface SettableClock {
  readonly env: Record<string, string>
  /** By how much it differs from now on: `+0`, `-1h`, `+31d`. */
  set(offset: string): void
}

export function settableClock(file: string): SettableClock {
  const set = (offset: string): void => writeFileSync(file, `${offset}\n`)
  set('+0')
  const env = { LD_PRELOAD: library(), FAKETIME_TIMESTAMP_FILE: file, FAKETIME_NO_CACHE: '1', ...own }
  return { env, set }
}
