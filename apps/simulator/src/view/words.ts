import type { Percentiles } from '../accounting/latency.ts'

/** `25 devices`, `1 device`: a number with its noun, thousands separated. */
export function count(amount: number, noun: string, plural = `${noun}s`): string {
  return `${figure(amount)} ${amount === 1 ? noun : plural}`
}

/** `5,000`. */
export function figure(amount: number): string {
  return amount.toLocaleString('en-US')
}

/** A latency with as many digits as matter: `0.84 ms`, `12 ms`, `3.1 s`. */
export function latency(milliseconds: number): string {
  if (milliseconds >= 1_000) return `${(milliseconds / 1_000).toFixed(1)} s`
  if (milliseconds >= 10) return `${Math.round(milliseconds)} ms`
  return `${milliseconds.toFixed(1)} ms`
}

/** `p50 12 ms  p99 40 ms`; empty when nothing was measured. */
export function percentileWords({ count, p50, p99 }: Percentiles): string {
  return count === 0 ? '' : `p50 ${latency(p50)}  p99 ${latency(p99)}`
}

/** Elapsed time for people: `7 s`, `2 min 5 s`, `1 h 2 min`. */
export function elapsed(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1_000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** One line of the narration: a label in a column of its own, then what happened. */
export function line(label: string, text: string): string {
  return `  ${label.padEnd(12)}${text}`
}
