/** Where in a device's life something went wrong. */
export type Phase = 'register' | 'enroll' | 'renew' | 'connect' | 'command' | 'publish' | 'deliver' | 'close'

/** One thing that went wrong, fit for the report. */
export interface Failure {
  readonly device?: string
  readonly phase: Phase
  /** Stable code of the package that noticed it. */
  readonly code: string
  readonly message: string
}

/** Everything that went wrong in a run: the first ones in full, all of them in number. */
export interface FailureList {
  add(failure: Failure): void
  readonly total: number
  /** The first failures, up to the capacity. */
  first(): readonly Failure[]
  /** How often each code came, most frequent first. */
  byCode(): { code: string; count: number; message: string }[]
}

/** An empty list that keeps the first `capacity` failures; 5,000 refused devices are one line, not 5,000. */
export function createFailureList(capacity = 100): FailureList {
  const kept: Failure[] = []
  const codes = new Map<string, { code: string; count: number; message: string }>()
  let total = 0
  return {
    add(failure) {
      total++
      if (kept.length < capacity) kept.push(failure)
      const seen = codes.get(failure.code)
      if (seen === undefined)
        codes.set(failure.code, { code: failure.code, count: 1, message: failure.message })
      else seen.count++
    },
    get total() {
      return total
    },
    first: () => kept,
    byCode: () => [...codes.values()].sort((a, b) => b.count - a.count),
  }
}

/** Code and message of whatever was thrown: every package's errors carry a `code`. */
export function describeThrown(thrown: unknown): { code: string; message: string } {
  if (!(thrown instanceof Error)) return { code: 'unknown', message: String(thrown) }
  const code: unknown = 'code' in thrown ? thrown.code : undefined
  return { code: typeof code === 'string' ? code : 'unknown', message: thrown.message }
}
