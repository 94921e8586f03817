import { createHash } from 'node:crypto'

/** A repeatable stream of numbers. It drives the simulation and must never make keys, tokens or serials. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number
  /** Uniform in [low, high). */
  between(low: number, high: number): number
  /** Normally distributed with mean 0 and standard deviation 1. */
  normal(): number
  /** Exponentially distributed with the given mean: the gaps of a Poisson process. */
  exponential(mean: number): number
}

/**
 * The stream of `seed` for one purpose, named by `path` (`'sensor', 'device-0007'`). Streams of different
 * paths are independent, so what one device draws never depends on the order in which devices run.
 */
export function seededRandom(seed: number, ...path: readonly string[]): Random {
  const next = sfc32(
    createHash('sha256')
      .update(JSON.stringify([seed, ...path]))
      .digest(),
  )
  return {
    next,
    between: (low, high) => low + (high - low) * next(),
    // Box-Muller; 1 - next() keeps the logarithm away from 0.
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
    exponential: (mean) => -mean * Math.log(1 - next()),
  }
}

/** Small Fast Counter, 128 bits of state (Chris Doty-Humphrey, PractRand): 32 bits a step, no allocation. */
function sfc32(state: Buffer): () => number {
  let a = state.readInt32LE(0)
  let b = state.readInt32LE(4)
  let c = state.readInt32LE(8)
  let counter = state.readInt32LE(12)
  return () => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + sum) | 0
    return (sum >>> 0) / 2 ** 32
  }
}
