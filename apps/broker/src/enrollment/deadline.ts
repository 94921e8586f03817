import { setTimeout as delay } from 'node:timers/promises'
import { DeviceClientError, fullJitterBackoff, retrying } from '@fleetroot/device-client'
import { formatDuration } from '@fleetroot/service'
import { BrokerError } from '../error.ts'

/** Patience for a server that is being started, too. */
export interface Deadline {
  /** Aborted when the time is up or the process is to stop. */
  readonly signal: AbortSignal
  /** Repeats what fails because the server cannot be reached; `what` is in the messages. */
  readonly insist: <T>(what: string, attempt: () => Promise<T>) => Promise<T>
  /** Repeats until there is something; for files that another process is about to make. */
  readonly until: <T>(what: string, look: () => Promise<T | undefined>) => Promise<T>
}

/** How often to look for a file. */
const lookEveryMs = 200

/**
 * Starts the clock. `onWait` hears what is being waited for, once for each thing. When the time is up,
 * `BrokerError` `enrollment-unreachable` says what was missing, the last failure, and what to do.
 */
export function startDeadline(waitMs: number, stop: AbortSignal, onWait: (what: string) => void): Deadline {
  const signal = AbortSignal.any([stop, AbortSignal.timeout(Math.max(waitMs, 1))])

  function givenUp(what: string, last?: unknown): BrokerError {
    const giving = `gave up waiting for ${what} after ${formatDuration(waitMs)}`
    return new BrokerError(
      'enrollment-unreachable',
      `${giving}${whyAndFix(last)}, or wait longer with --wait`,
      {
        cause: last,
      },
    )
  }

  return {
    signal,

    insist: async (what, attempt) => {
      let last: unknown
      try {
        return await retrying(attempt, {
          signal,
          backoff: fullJitterBackoff({ baseMs: 200, capMs: 2_000 }),
          onRetry: ({ error, failures }) => {
            last = error
            if (failures === 1) onWait(what)
          },
        })
      } catch (error) {
        if (!(error instanceof DeviceClientError) || error.code !== 'aborted' || stop.aborted) throw error
        throw givenUp(what, last)
      }
    },

    until: async (what, look) => {
      for (let looks = 1; ; looks += 1) {
        const found = await look()
        if (found !== undefined) return found
        if (looks === 1) onWait(what)
        stop.throwIfAborted()
        if (signal.aborted) throw givenUp(what)
        await delay(lookEveryMs, undefined, { signal }).catch(() => undefined)
      }
    },
  }
}

/** Whoever sent a status is running and was found: what it said is what there is to know. */
function whyAndFix(last: unknown): string {
  if (last instanceof DeviceClientError && last.status !== undefined) {
    return `: it answers, but ${last.message}; see its log`
  }
  const why = last instanceof Error ? ` (${last.message})` : ''
  return `${why}; start the enrollment server, say where it is with --enrollment-url`
}
