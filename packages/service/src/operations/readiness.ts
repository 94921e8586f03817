/** Which parts of an app are ready. Nothing declared means not ready: an app must say that it serves. */
export interface Readiness {
  /** Declares the part if need be, and marks it ready. */
  readonly setReady: (check: string) => void
  /** Declares the part if need be, and says why it is not ready, for example `waiting for the enrollment server`. */
  readonly setNotReady: (check: string, reason: string) => void
  /** The reasons by check; empty when everything is ready. */
  readonly pending: () => Record<string, string>
}

/** A Readiness in which `checks` have not started yet. */
export function createReadiness(checks: readonly string[]): Readiness {
  const reasons = new Map<string, string | undefined>(checks.map((check) => [check, 'not started']))
  return {
    setReady: (check) => void reasons.set(check, undefined),
    setNotReady: (check, reason) => void reasons.set(check, reason),
    pending: () => {
      if (reasons.size === 0) return { app: 'starting' }
      const waiting = [...reasons].filter((entry): entry is [string, string] => entry[1] !== undefined)
      return Object.fromEntries(waiting)
    },
  }
}
