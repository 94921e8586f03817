/** How long a fuzz test runs, and what it tries: `FUZZ_SECONDS` and `FUZZ_SEED`. */
export interface Fuzzing {
  readonly seconds: number
  /** For the title of the test, so that whoever sees it fail can run it again. */
  readonly seed: number
  /** A number below this one; the same ones for the same seed. */
  readonly random: (below: number) => number
}

/** Reads the environment; Marsaglia's xorshift from there on. */
export function fuzzing(defaultSeconds: number): Fuzzing {
  const seconds = Number(process.env['FUZZ_SECONDS'] ?? defaultSeconds)
  const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 32)
  let state = seed >>> 0 || 1
  const random = (below: number): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    state >>>= 0
    return state % below
  }
  return { seconds, seed, random }
}
